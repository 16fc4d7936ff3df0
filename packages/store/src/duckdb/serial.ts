/** Runs work one after the other, in the order of the calls. What may wait is limited; more is refused with OVERLOADED. */
import { FieldlineError } from '@fieldline/kit';

const WAITING_MAX = 256;

export class Serial {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      return Promise.reject(
        new FieldlineError(
          'OVERLOADED',
          `${WAITING_MAX} writes to the telemetry store are waiting already; retry later`,
        ),
      );
    }
    this.#waiting += 1;
    const result = this.#tail.then(work);
    this.#tail = result
      .catch(() => {}) // whoever called run() gets the error; the next one goes ahead regardless
      .then(() => {
        this.#waiting -= 1;
      });
    return result;
  }
}
