/**
 * What the queues of all sessions together may hold. While it is not used up a session's queue is bounded by its own limit
 * alone; beyond it each keeps its equal share, so that those who hoard give way and nobody else does. Bound: twice bytesMax.
 */
export class QueueBudget {
  readonly bytesMax: number;
  readonly #sessionCount: () => number;
  #bytes = 0;

  constructor(bytesMax: number, sessionCount: () => number) {
    this.bytesMax = bytesMax;
    this.#sessionCount = sessionCount;
  }

  /** Bytes of all messages that wait or are in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** What a queue with this limit of its own may hold now. */
  allowance(queueBytesMax: number): number {
    if (this.#bytes <= this.bytesMax) return queueBytesMax;
    return Math.min(queueBytesMax, this.bytesMax / Math.max(1, this.#sessionCount()));
  }
}

export const UNBOUNDED = new QueueBudget(Number.POSITIVE_INFINITY, () => 1);
