/**
 * Many small requests, few appends: whatever arrives while an append is under way goes into the next one. In: records by
 * origin; out: a promise that resolves with the log's positions when the records are durable. Bounded by bytes; full: OVERLOADED.
 */
import { FieldlineError } from '@fieldline/kit';
import type { AppendedRange } from '@fieldline/log';
import { type Micros, type Origin, type RawBatch, RawBatchBuilder } from '@fieldline/model';

export interface RawRecord {
  readonly origin: Origin;
  readonly payload: Uint8Array;
}

interface Waiter {
  resolve(ranges: readonly AppendedRange[]): void;
  reject(error: unknown): void;
}

export class GroupAppender {
  readonly #append: (batch: RawBatch) => Promise<AppendedRange[]>;
  readonly #queueBytesMax: number;
  readonly #builder = new RawBatchBuilder();
  #waiters: Waiter[] = [];
  #underWayBytes = 0;
  #running = false;

  constructor(append: (batch: RawBatch) => Promise<AppendedRange[]>, queueBytesMax: number) {
    this.#append = append;
    this.#queueBytesMax = queueBytesMax;
  }

  /** Payload bytes that are not durable yet. */
  get queueBytes(): number {
    return this.#builder.byteLength + this.#underWayBytes;
  }

  /**
   * Adds the records; resolves when they are durable. The ranges are those of the whole append: the records stand within
   * them. OVERLOADED (nothing was taken) where the queue is full; any other error: they may or may not be in the log.
   */
  add(records: readonly RawRecord[], receivedTime: Micros): Promise<readonly AppendedRange[]> {
    let bytes = 0;
    for (const { payload } of records) bytes += payload.length;
    if (this.queueBytes + bytes > this.#queueBytesMax) {
      throw new FieldlineError(
        'OVERLOADED',
        `${this.queueBytes} bytes wait for the log, ${this.#queueBytesMax} is the limit; send the same again later`,
        { details: { retryAfterSeconds: 1 } },
      );
    }
    for (const { origin, payload } of records) this.#builder.add(origin, receivedTime, payload);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Requests of the same turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiters.length > 0) {
      const waiters = this.#waiters;
      this.#waiters = [];
      const batch = this.#builder.take();
      this.#underWayBytes = batch.bytes.length;
      try {
        const ranges = await this.#append(batch);
        for (const waiter of waiters) waiter.resolve(ranges);
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error);
      }
      this.#underWayBytes = 0;
    }
    this.#running = false;
  }
}
