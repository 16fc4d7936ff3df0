/** Answers of one connection that wait until the session store has made durable what they speak of; given in the order of the calls. */
import type { SessionStore } from './session/session-store.ts';

export class DurableOrder {
  readonly #store: SessionStore;
  #last: Promise<void> | null = null;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** Runs `action` at once where nothing is pending, else when it is durable; `failed` where it could not be stored. */
  run(action: () => void, failed: (error: unknown) => void): void {
    if (this.#last === null && !this.#store.isPending) {
      action();
      return;
    }
    const waiting = (this.#last ?? Promise.resolve())
      .then(() => this.#store.durable())
      .then(action, failed)
      .finally(() => {
        if (this.#last === waiting) this.#last = null;
      });
    this.#last = waiting;
  }
}
