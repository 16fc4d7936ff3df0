import { expect, test } from 'vitest';
import { Backoff, sleep } from './backoff.ts';

test('waits double up to the maximum, with jitter in the upper half', () => {
  const low = new Backoff({ initialMs: 100, maximumMs: 1000, random: () => 0 });
  const high = new Backoff({ initialMs: 100, maximumMs: 1000, random: () => 1 });
  expect([1, 2, 3, 4, 5].map(() => low.nextMs())).toEqual([50, 100, 200, 400, 500]);
  expect([1, 2, 3, 4, 5].map(() => high.nextMs())).toEqual([100, 200, 400, 800, 1000]);
  high.reset();
  expect([high.attempts, high.nextMs()]).toEqual([0, 100]);
});

test('a sleep ends at once when its signal aborts', async () => {
  const controller = new AbortController();
  const slept = sleep(60_000, controller.signal);
  controller.abort();
  await slept;
  await sleep(60_000, controller.signal);
  expect(controller.signal.aborted).toBe(true);
});
