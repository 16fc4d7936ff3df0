/** Exponential back-off with full jitter, so that many clients that failed together do not return together. */

export interface BackoffOptions {
  readonly initialMs?: number;
  readonly maximumMs?: number;
  readonly factor?: number;
  readonly random?: () => number;
}

export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #attempts = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = { initialMs: 100, maximumMs: 30_000, factor: 2, random: Math.random, ...options };
  }

  /** Failures since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long to wait before the next attempt, in milliseconds: between half of the step and the whole of it. */
  nextMs(): number {
    const { initialMs, maximumMs, factor, random } = this.#options;
    const step = Math.min(maximumMs, initialMs * factor ** this.#attempts);
    this.#attempts += 1;
    return step / 2 + (step / 2) * random();
  }

  /** After a success. */
  reset(): void {
    this.#attempts = 0;
  }
}

/** Waits; ends early (without an error) when the signal aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
  });
}
