/**
 * Group commit: appends that arrive while one flush is under way wait here and share the next one. One thing happens at a
 * time, in the order of the calls. Bounded by whoever fills it (EmbeddedLogOptions.waitingBytesMax).
 */
import type { Position, RawBatch } from '@fieldline/model';

/** So many payload bytes go into one flush, then the next begins. */
const FLUSH_BYTES_MAX = 16 * 1024 * 1024;

export interface Append {
  readonly chunks: readonly RawBatch[];
  /** Roughly, on disk. */
  readonly byteLength: number;
  readonly count: number;
}

interface Waiting {
  readonly append: Append;
  readonly resolve: (firstPosition: Position) => void;
  readonly reject: (error: unknown) => void;
}

export class FlushQueue {
  readonly #flush: (appends: readonly Append[]) => Promise<Position>;
  #waiting: Waiting[] = [];
  #tasks: (() => Promise<void>)[] = [];
  #working: Promise<void> | null = null;

  /** @param flush makes all of these durable and returns the position of the first record, or rejects */
  constructor(flush: (appends: readonly Append[]) => Promise<Position>) {
    this.#flush = flush;
  }

  /** Resolves with the position of the append's first record when it is durable. */
  push(append: Append): Promise<Position> {
    const promise = new Promise<Position>((resolve, reject) => {
      this.#waiting.push({ append, resolve, reject });
    });
    this.#wake();
    return promise;
  }

  /** Runs a task between two flushes. */
  async runBetween(task: () => Promise<void>): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#tasks.push(() => task().then(resolve, reject));
    });
    this.#wake();
    await done;
  }

  /** Resolves when nothing is under way or waits. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  #wake(): void {
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // One turn later, so that calls made in the same turn share the first flush.
    await null;
    while (this.#waiting.length > 0 || this.#tasks.length > 0) {
      const task = this.#tasks.shift();
      if (task !== undefined) await task();
      else await this.#flushGroup(this.#takeGroup());
    }
    this.#working = null;
  }

  #takeGroup(): Waiting[] {
    let byteLength = 0;
    let length = 0;
    do {
      byteLength += this.#waiting[length]!.append.byteLength;
      length += 1;
    } while (length < this.#waiting.length && byteLength < FLUSH_BYTES_MAX);
    return this.#waiting.splice(0, length);
  }

  async #flushGroup(group: readonly Waiting[]): Promise<void> {
    try {
      let position = await this.#flush(group.map(({ append }) => append));
      for (const { append, resolve } of group) {
        resolve(position);
        position += append.count;
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
