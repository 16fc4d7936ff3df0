/** Waiting for something to be told, with an end: a time limit or an abort. */

/**
 * Resolves when `wake` is called, after `waitMs`, or when the signal aborts, whichever comes first.
 * @param subscribe gets `wake`, which it may call at once, and returns what ends the subscription
 */
export function waitFor(
  subscribe: (wake: () => void) => () => void,
  waitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    let isDone = false;
    let unsubscribe: (() => void) | null = null;
    const done = (): void => {
      isDone = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      unsubscribe?.();
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal?.addEventListener('abort', done, { once: true });
    unsubscribe = subscribe(done);
    if (isDone) unsubscribe();
  });
}
