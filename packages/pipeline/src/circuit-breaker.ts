/**
 * A circuit breaker for writes: after some failures in a row it opens, and only a probe now and then goes through until one
 * succeeds. It decides nothing by itself; the writers of all partitions tell it, and it tells health and metrics.
 */
import type { Micros } from '@fieldline/model';

export type BreakerState = 'closed' | 'open' | 'half-open';

export class CircuitBreaker {
  state: BreakerState = 'closed';
  since: Micros | null = null;
  reason: string | null = null;
  /** Failures in a row by partition. */
  readonly #failures = new Map<number, number>();
  readonly #failuresMax: number;

  constructor(failuresMax: number) {
    this.#failuresMax = failuresMax;
  }

  /** A write has failed. */
  failed(partition: number, reason: string, now: Micros): void {
    const failures = (this.#failures.get(partition) ?? 0) + 1;
    this.#failures.set(partition, failures);
    this.reason = reason;
    if (failures < this.#failuresMax) return;
    if (this.state === 'closed') this.since = now;
    this.state = 'open';
  }

  /** A write is about to be tried again. */
  probing(): void {
    if (this.state === 'open') this.state = 'half-open';
  }

  /** A write went through. The breaker closes when no partition is in trouble any more. */
  succeeded(partition: number): void {
    if (!this.#failures.delete(partition) || this.#failures.size > 0) return;
    this.state = 'closed';
    this.since = null;
    this.reason = null;
  }
}
