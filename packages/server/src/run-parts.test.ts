import { silentLogger } from '@fieldline/kit';
import { expect, test } from 'vitest';
import { inOrderOfNeeds, type Part, RunningParts } from './run-parts.ts';

const part = (name: string, needs: string[], log: string[], fails = false): Part<null> => ({
  name,
  needs,
  start: async () => {
    if (fails) throw new Error('no room');
    log.push(`+${name}`);
  },
  stop: async () => {
    log.push(`-${name}`);
  },
});

test('a part starts after its needs and stops before them', async () => {
  const log: string[] = [];
  const parts = new RunningParts(
    [part('api', ['log', 'store'], log), part('store', ['log'], log), part('log', [], log)],
    null,
    silentLogger,
  );
  await parts.start();
  expect(parts.health().every((health) => health.ready)).toBe(true);
  await parts.stop();
  await parts.stop();
  expect(log).toEqual(['+log', '+store', '+api', '-api', '-store', '-log']);
});

test('parts that do not need each other start side by side', async () => {
  const log: string[] = [];
  const opened = Promise.withResolvers<void>();
  const store = { ...part('store', ['folder'], log), start: () => opened.promise };
  const broker = { ...part('broker', ['folder'], log), start: async () => opened.resolve() };
  const parts = new RunningParts([part('folder', [], log), store, broker], null, silentLogger);
  await parts.start();
  expect(parts.health().every((health) => health.ready)).toBe(true);
});

test('where one cannot start, what still waits for its needs does not begin', async () => {
  const log: string[] = [];
  const failing = { ...part('log', [], log), start: () => Promise.reject(new Error('no room')) };
  const slow = { ...part('store', [], log), start: () => new Promise<void>((resolve) => setImmediate(resolve)) };
  const parts = new RunningParts([failing, slow, part('api', ['store'], log)], null, silentLogger);
  await expect(parts.start()).rejects.toThrow('log did not start: no room');
  expect(log).toEqual(['-store', '-log']);
});

test('where one cannot start, it is cleaned up, those that run are stopped, and the part is named', async () => {
  const log: string[] = [];
  const parts = new RunningParts(
    [part('log', [], log), part('store', ['log'], log, true), part('api', ['store'], log)],
    null,
    silentLogger,
  );
  await expect(parts.start()).rejects.toThrow('store did not start: no room');
  expect(log).toEqual(['+log', '-store', '-log']);
});

test.each([
  ['a circle', [part('a', ['b'], []), part('b', ['a'], [])], 'circle: a → b → a'],
  ['a missing need', [part('a', ['x'], [])], 'a needs x'],
])('%s is a bug', (_, parts, sentence) => {
  expect(() => inOrderOfNeeds(parts)).toThrow(sentence);
});
