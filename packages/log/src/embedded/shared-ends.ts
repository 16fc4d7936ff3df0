/**
 * Where each partition ends, in memory that all threads share: the writer publishes it after each flush, readers look it up
 * without asking the writer and can wait for it to change.
 *
 * 64 bytes per partition: i32 sequence (odd while it is being written) | i32 closed | i64 first, next, activeFirst,
 * activeBytes, byteLength, refusedFrom
 */
import { waitFor } from '../wait.ts';

const BYTES_PER_PARTITION = 64;

export interface PartitionEnds {
  /** The oldest record. */
  readonly first: number;
  /** Everything below is durable. */
  readonly next: number;
  /** First position of the segment that is being appended to: all others are complete. */
  readonly activeFirst: number;
  /** Durable bytes of that segment. */
  readonly activeBytes: number;
  /** Bytes of all segments. */
  readonly byteLength: number;
  /** As in the header of the active segment, which has no file before its first append. */
  readonly refusedFrom: number;
}

export class SharedEnds {
  static bufferFor(partitionCount: number): SharedArrayBuffer {
    return new SharedArrayBuffer(partitionCount * BYTES_PER_PARTITION);
  }

  readonly #control: Int32Array;
  readonly #values: BigInt64Array;
  readonly #wakes = new Set<() => void>();
  #listening = false;

  constructor(buffer: SharedArrayBuffer, partitionIndex: number) {
    this.#control = new Int32Array(buffer, partitionIndex * BYTES_PER_PARTITION, 2);
    this.#values = new BigInt64Array(buffer, partitionIndex * BYTES_PER_PARTITION + 8, 6);
  }

  /** Called by the writer alone. Wakes all readers that wait. */
  publish(ends: PartitionEnds): void {
    Atomics.add(this.#control, 0, 1);
    const { first, next, activeFirst, activeBytes, byteLength, refusedFrom } = ends;
    const values = [first, next, activeFirst, activeBytes, byteLength, refusedFrom];
    for (const [index, value] of values.entries()) Atomics.store(this.#values, index, BigInt(value));
    Atomics.add(this.#control, 0, 1);
    Atomics.notify(this.#control, 0);
  }

  /** Called by the writer when the log closes. */
  publishClosed(): void {
    Atomics.store(this.#control, 1, 1);
    Atomics.add(this.#control, 0, 2);
    Atomics.notify(this.#control, 0);
  }

  get isClosed(): boolean {
    return Atomics.load(this.#control, 1) === 1;
  }

  /** A consistent view of all values. */
  load(): PartitionEnds {
    for (;;) {
      const sequence = Atomics.load(this.#control, 0);
      const [first, next, activeFirst, activeBytes, byteLength, refusedFrom] = [0, 1, 2, 3, 4, 5].map((index) =>
        Number(Atomics.load(this.#values, index)),
      ) as [number, number, number, number, number, number];
      // The writer needs well under a microsecond between the two steps, so going round is short.
      if ((sequence & 1) === 0 && Atomics.load(this.#control, 0) === sequence) {
        return { first, next, activeFirst, activeBytes, byteLength, refusedFrom };
      }
    }
  }

  /** Resolves when there is a record at `position`, the log closes, wakeAll() is called, the time is over or the signal aborts. */
  async waitForPosition(position: number, waitMs: number, signal?: AbortSignal): Promise<void> {
    const reached = (): boolean => this.load().next > position || this.isClosed;
    if (reached()) return;
    const subscribe = (wake: () => void): (() => void) => {
      const check = (): void => {
        if (reached()) wake();
      };
      const entry = Object.assign(check, { wake });
      this.#wakes.add(entry);
      this.#listen();
      check();
      return () => this.#wakes.delete(entry);
    };
    await waitFor(subscribe, waitMs, signal);
  }

  /** Ends all waits of this thread. */
  wakeAll(): void {
    for (const entry of this.#wakes) (entry as (() => void) & { wake: () => void }).wake();
  }

  /** One wait on the shared memory per thread and partition, however many readers wait. */
  #listen(): void {
    if (this.#listening) return;
    const sequence = Atomics.load(this.#control, 0);
    const result = Atomics.waitAsync(this.#control, 0, sequence);
    this.#listening = true;
    const changed = (): void => {
      this.#listening = false;
      for (const check of this.#wakes) check();
      if (this.#wakes.size > 0) this.#listen();
    };
    if (result.async) void result.value.then(changed);
    else queueMicrotask(changed);
  }
}
