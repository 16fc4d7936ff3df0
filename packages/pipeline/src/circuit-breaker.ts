/**
 * A circuit breaker for writes: after some failures in a row it opens, and only a probe now and then goes through until one
 * succeeds. It decides nothing by itself; the runner asks and tells.
 */
import type { Micros } from '@fieldline/model';

export type BreakerState = 'closed' | 'open' | 'half-open';

export class CircuitBreaker {
  state: BreakerState = 'closed';
  since: Micros | null = null;
  reason: string | null = null;
  #failures = 0;
  readonly #failuresMax: number;

  constructor(failuresMax: number) {
    this.#failuresMax = failuresMax;
  }

  /** A write has failed. */
  failed(reason: string, now: Micros): void {
    this.#failures += 1;
    this.reason = reason;
    if (this.#failures < this.#failuresMax) return;
    if (this.state === 'closed') this.since = now;
    this.state = 'open';
  }

  /** A write is about to be tried again. */
  probing(): void {
    if (this.state === 'open') this.state = 'half-open';
  }

  succeeded(): void {
    this.#failures = 0;
    this.state = 'closed';
    this.since = null;
    this.reason = null;
  }
}
