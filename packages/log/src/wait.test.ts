import { expect, it } from 'vitest';
import { waitFor } from './wait.ts';

for (const [name, when] of [
  ['at once', (wake: () => void) => wake()],
  ['later', (wake: () => void) => setImmediate(wake)],
] as const) {
  it(`ends a wait that is woken ${name}, and its subscription`, async () => {
    let subscriptions = 0;
    await waitFor((wake) => {
      subscriptions += 1;
      when(wake);
      return () => {
        subscriptions -= 1;
      };
    }, 60_000);
    expect(subscriptions).toBe(0);
  });
}

it('ends at the time limit, and at once where the signal was aborted before', async () => {
  const never = (): (() => void) => () => {};
  await waitFor(never, 1);
  await waitFor(never, 60_000, AbortSignal.abort());
});
