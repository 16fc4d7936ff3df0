import type { Health } from '@fieldline/kit';
import { expect, test } from 'vitest';
import { onePerPart } from './health.ts';

const running = (name: string, problem?: string): Health => ({
  name,
  state: 'running',
  ready: problem === undefined,
  ...(problem !== undefined && { problem }),
});

test.each<[string, Health[], Health]>([
  ['both well', [running('log'), running('log')], running('log')],
  ['the thread has a problem', [running('log'), running('log', 'disk full')], running('log', 'disk full')],
  ['the same problem twice', [running('log', 'disk full'), running('log', 'disk full')], running('log', 'disk full')],
  [
    'the part has failed',
    [{ name: 'log', state: 'failed', ready: false, problem: 'ended' }, running('log', 'did not answer')],
    { name: 'log', state: 'failed', ready: false, problem: 'ended; did not answer' },
  ],
])('a part and its thread are one entry: %s', (_, entries, merged) => {
  expect(onePerPart([running('api'), ...entries])).toEqual([running('api'), merged]);
});
