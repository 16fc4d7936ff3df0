/**
 * Raw records in columns, the form in which they are appended to the log and read from it. A record is
 * (origin, receivedTime, payload). There is no object per record; payloads stand end to end in one buffer:
 *
 *   bytes       | payload 0 | payload 1 | payload 2 | …
 *   payloadEnd            ^           ^           ^
 */
import type { Origin } from './origin.ts';
import type { Micros } from './time.ts';

/** Ordinal of a record in one (topic, partition). Opaque to everyone but the log; later is larger. */
export type Position = number;

export interface RawBatch {
  readonly count: number;
  readonly origins: readonly Origin[];
  /** Record i has origins[originIndex[i]]. Length ≥ count. */
  readonly originIndex: Uint32Array;
  /** Microseconds, exact integers. Length ≥ count. */
  readonly receivedTime: Float64Array;
  /** End of payload i in bytes; it starts where payload i − 1 ends. Length ≥ count. */
  readonly payloadEnd: Uint32Array;
  readonly bytes: Uint8Array;
}

/** A raw batch as the log gives it back: its records are firstPosition, firstPosition + 1, … of one partition. */
export interface LoggedBatch extends RawBatch {
  readonly topic: string;
  readonly partition: number;
  readonly firstPosition: Position;
}

/** Payload i as a view (no copy); valid as long as the batch is. */
export function payloadOf(batch: RawBatch, index: number): Uint8Array {
  return batch.bytes.subarray(index === 0 ? 0 : batch.payloadEnd[index - 1], batch.payloadEnd[index]);
}

/** The origin of record i. */
export function originOf(batch: RawBatch, index: number): Origin {
  return batch.origins[batch.originIndex[index]!]!;
}

/**
 * Collects raw records and hands them out as one batch. It grows by doubling and is used again after take(), so that
 * steady traffic allocates nothing per record. Not bounded by itself: whoever fills it watches byteLength.
 */
export class RawBatchBuilder {
  #count = 0;
  #byteLength = 0;
  #origins: Origin[] = [];
  #indexOf = new Map<Origin, number>();
  #lastOrigin: Origin | undefined;
  #lastIndex = 0;
  #originIndex: Uint32Array;
  #receivedTime: Float64Array;
  #payloadEnd: Uint32Array;
  #bytes: Uint8Array;

  constructor(recordsExpected = 1024, bytesExpected = 256 * 1024) {
    this.#originIndex = new Uint32Array(recordsExpected);
    this.#receivedTime = new Float64Array(recordsExpected);
    this.#payloadEnd = new Uint32Array(recordsExpected);
    this.#bytes = new Uint8Array(bytesExpected);
  }

  get count(): number {
    return this.#count;
  }

  /** Payload bytes collected so far. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Adds one record; the payload is copied. Origins are told apart by identity, so pass the same object each time. */
  add(origin: Origin, receivedTime: Micros, payload: Uint8Array): void {
    const index = this.#count;
    if (index === this.#originIndex.length) this.#growRecords();
    const end = this.#byteLength + payload.length;
    if (end > this.#bytes.length) this.#growBytes(end);
    this.#bytes.set(payload, this.#byteLength);
    this.#byteLength = end;
    this.#originIndex[index] = origin === this.#lastOrigin ? this.#lastIndex : this.#indexOfOrigin(origin);
    this.#receivedTime[index] = receivedTime;
    this.#payloadEnd[index] = end;
    this.#count = index + 1;
  }

  /** The records collected, as views into the builder's own memory: valid until the next add() or reset(). */
  view(): RawBatch {
    return {
      count: this.#count,
      origins: this.#origins,
      originIndex: this.#originIndex.subarray(0, this.#count),
      receivedTime: this.#receivedTime.subarray(0, this.#count),
      payloadEnd: this.#payloadEnd.subarray(0, this.#count),
      bytes: this.#bytes.subarray(0, this.#byteLength),
    };
  }

  /** The records collected, copied out so that they outlive the builder; the builder is empty afterwards. */
  take(): RawBatch {
    const view = this.view();
    const batch: RawBatch = {
      count: view.count,
      origins: view.origins,
      originIndex: view.originIndex.slice(),
      receivedTime: view.receivedTime.slice(),
      payloadEnd: view.payloadEnd.slice(),
      bytes: view.bytes.slice(),
    };
    this.reset();
    return batch;
  }

  /** Empties the builder; its memory is kept. Batches handed out by take() stay valid, views do not. */
  reset(): void {
    this.#count = 0;
    this.#byteLength = 0;
    this.#origins = [];
    this.#indexOf.clear();
    this.#lastOrigin = undefined;
  }

  #indexOfOrigin(origin: Origin): number {
    let index = this.#indexOf.get(origin);
    if (index === undefined) {
      index = this.#origins.length;
      this.#origins.push(origin);
      this.#indexOf.set(origin, index);
    }
    this.#lastOrigin = origin;
    this.#lastIndex = index;
    return index;
  }

  #growRecords(): void {
    const length = this.#originIndex.length * 2;
    this.#originIndex = grown(this.#originIndex, new Uint32Array(length));
    this.#receivedTime = grown(this.#receivedTime, new Float64Array(length));
    this.#payloadEnd = grown(this.#payloadEnd, new Uint32Array(length));
  }

  #growBytes(needed: number): void {
    this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(needed, this.#bytes.length * 2)));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** A batch from single records; for tests, events and other slow paths. */
export function rawBatchOf(records: Iterable<{ origin: Origin; receivedTime: Micros; payload: Uint8Array }>): RawBatch {
  const builder = new RawBatchBuilder(16, 1024);
  for (const record of records) builder.add(record.origin, record.receivedTime, record.payload);
  return builder.take();
}
