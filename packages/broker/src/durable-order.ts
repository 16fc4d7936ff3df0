/** Answers of one connection that wait until the session store has made durable what they speak of; given in the order of the calls. */
import { Backoff, type Clock, sleep } from '@fieldline/kit';
import type { SessionStore } from './session/session-store.ts';

/** A store that fails is tried again for so long, as long as somebody still waits for the answer. */
export interface Patience {
  readonly retryMs: number;
  readonly isAwaited: () => boolean;
}

const NO_PATIENCE: Patience = { retryMs: 0, isAwaited: () => true };

export class DurableOrder {
  readonly #store: SessionStore;
  readonly #clock: Clock;
  #last: Promise<void> | null = null;

  constructor(store: SessionStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Runs `action` at once where nothing is pending, else when it is durable; `failed` where it could not be stored. */
  run(action: () => void, failed: (error: unknown) => void, patience = NO_PATIENCE): void {
    if (this.#last === null && !this.#store.isPending) {
      action();
      return;
    }
    const waiting = (this.#last ?? Promise.resolve())
      .then(() => this.#durable(patience))
      .then(action, failed)
      .finally(() => {
        if (this.#last === waiting) this.#last = null;
      });
    this.#last = waiting;
  }

  async #durable({ retryMs, isAwaited }: Patience): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    const backoff = new Backoff({ initialMs: 50, maximumMs: 1_000 });
    for (;;) {
      try {
        await this.#store.durable();
        return;
      } catch (error) {
        if (!isAwaited() || this.#clock.monotonicMs() - startedMs >= retryMs) throw error;
        await sleep(backoff.nextMs());
      }
    }
  }
}
