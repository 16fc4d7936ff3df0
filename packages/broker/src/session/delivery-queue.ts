/**
 * Deliveries that wait for one session, first in, first out. The first ones and the last ones are objects; what is between
 * them lies in runs of bytes in the spool, so that a long queue takes little memory and nothing of the garbage collector's time.
 *
 *   shift() ← head (objects) ← runs (spool) ← tail (objects) ← push()
 */
import { type Delivery, messageBytes, type SharedDelivery } from '../message.ts';
import { decodeDeliveries, encodeDeliveries } from './delivery-codec.ts';
import type { QueueSpool, SpooledRun } from './queue-spool.ts';

/** So much is a run. */
const RUN_BYTES = 48 * 1024;
/** The same while the objects of all queues are too many. */
const RUN_BYTES_CROWDED = 4 * 1024;

interface Run {
  readonly spooled: SpooledRun;
  readonly shared: readonly SharedDelivery[];
  readonly count: number;
  readonly byteLength: number;
  readonly nextExpiryMs: number;
}

/** A delivery of a snapshot; `isSpooled`: its message is no object that others have, too. */
export interface Waiting {
  readonly delivery: Delivery;
  readonly isSpooled: boolean;
}

export class DeliveryQueue {
  readonly #spool: QueueSpool;
  #head: Delivery[] = [];
  #headIndex = 0;
  #headBytes = 0;
  #runs: Run[] | null = null;
  #tail: Delivery[] = [];
  #tailBytes = 0;
  #count = 0;
  #byteLength = 0;
  /** take() is under way: whom it asks may want room here, but there is nothing to be had at the moment. */
  #isTaking = false;

  constructor(spool: QueueSpool) {
    this.#spool = spool;
  }

  get count(): number {
    return this.#count;
  }

  /** As messageBytes() counts. */
  get byteLength(): number {
    return this.#byteLength;
  }

  push(delivery: Delivery): void {
    const bytes = messageBytes(delivery.message);
    this.#count += 1;
    this.#byteLength += bytes;
    this.#spool.objectBytes += bytes;
    if (this.#runs === null && this.#tail.length === 0 && this.#headBytes < this.#runBytes) {
      this.#head.push(delivery);
      this.#headBytes += bytes;
      return;
    }
    this.#tail.push(delivery);
    this.#tailBytes += bytes;
    if (this.#tailBytes >= this.#runBytes) this.#sealTail();
  }

  shift(): Delivery | undefined {
    if (this.#isTaking) return undefined;
    while (this.#headIndex === this.#head.length) if (!this.#refill()) return undefined;
    const delivery = this.#head[this.#headIndex]!;
    this.#headIndex += 1;
    const bytes = messageBytes(delivery.message);
    this.#headBytes -= bytes;
    this.#count -= 1;
    this.#byteLength -= bytes;
    this.#spool.objectBytes -= bytes;
    if (this.#headIndex > 64 && this.#headIndex * 2 > this.#head.length) {
      this.#head = this.#head.slice(this.#headIndex);
      this.#headIndex = 0;
    }
    return delivery;
  }

  /** Takes those that fit, in order. Runs in which none can fit are passed over. */
  take(
    isFit: (delivery: Delivery) => boolean,
    mayFit: (run: Pick<Run, 'shared' | 'nextExpiryMs'>) => boolean,
  ): Delivery[] {
    const taken: Delivery[] = [];
    const keep = (delivery: Delivery): boolean => {
      if (!isFit(delivery)) return true;
      taken.push(delivery);
      return false;
    };
    const head = this.#head.slice(this.#headIndex);
    const runs = this.#runs ?? [];
    const tail = this.#tail;
    const objectBytes = this.#objectBytes;
    this.#reset();
    this.#isTaking = true;
    this.#setHead(head.filter(keep));
    for (const run of runs) {
      if (!mayFit(run)) this.#addRun(run);
      else this.#addKept(run, keep);
    }
    for (const delivery of tail) {
      if (!keep(delivery)) continue;
      this.#tail.push(delivery);
      this.#tailBytes += messageBytes(delivery.message);
    }
    this.#isTaking = false;
    this.#recount(objectBytes);
    return taken;
  }

  /** All that waits at the moment of the first step, in order; it may be walked through in slices, and given up. */
  *snapshot(): Generator<Waiting> {
    const head = this.#head.slice(this.#headIndex);
    const runs = [...(this.#runs ?? [])];
    const tail = [...this.#tail];
    for (const { spooled } of runs) spooled.retain();
    try {
      for (const delivery of head) yield { delivery, isSpooled: false };
      while (runs.length > 0) {
        const deliveries = this.#read(runs[0]!);
        runs.shift()!.spooled.release();
        for (const delivery of deliveries) yield { delivery, isSpooled: true };
      }
      for (const delivery of tail) yield { delivery, isSpooled: false };
    } finally {
      for (const { spooled } of runs) spooled.release();
    }
  }

  clear(): void {
    for (const { spooled } of this.#runs ?? []) spooled.release();
    const objectBytes = this.#objectBytes;
    this.#reset();
    this.#recount(objectBytes);
  }

  get #runBytes(): number {
    return this.#spool.isCrowded ? RUN_BYTES_CROWDED : RUN_BYTES;
  }

  /** The next run, or what is behind all runs, becomes the head; false where there is nothing. */
  #refill(): boolean {
    const run = this.#runs?.shift();
    if (this.#runs?.length === 0) this.#runs = null;
    if (run !== undefined) {
      const deliveries = this.#read(run);
      run.spooled.release();
      if (deliveries.length === 0) {
        this.#count -= run.count;
        this.#byteLength -= run.byteLength;
        return true;
      }
      this.#setHead(deliveries);
      this.#spool.objectBytes += this.#headBytes;
      return true;
    }
    if (this.#tail.length === 0) return false;
    this.#head = this.#tail;
    this.#headIndex = 0;
    this.#headBytes = this.#tailBytes;
    this.#tail = [];
    this.#tailBytes = 0;
    return true;
  }

  #sealTail(): void {
    this.#addRun(this.#runOf(this.#tail, this.#tailBytes));
    this.#spool.objectBytes -= this.#tailBytes;
    this.#tail = [];
    this.#tailBytes = 0;
  }

  #runOf(deliveries: readonly Delivery[], byteLength: number): Run {
    const { bytes, shared } = encodeDeliveries(deliveries);
    let nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { message } of deliveries) nextExpiryMs = Math.min(nextExpiryMs, message.expiresAtMs);
    return { spooled: this.#spool.put(bytes), shared, count: deliveries.length, byteLength, nextExpiryMs };
  }

  #addRun(run: Run): void {
    this.#runs ??= [];
    this.#runs.push(run);
  }

  /** What of a run stays: the run itself where all of it does. */
  #addKept(run: Run, keep: (delivery: Delivery) => boolean): void {
    const kept = this.#read(run).filter(keep);
    if (kept.length === run.count) {
      this.#addRun(run);
      return;
    }
    // Before the run is released: what is kept are views of its bytes.
    if (kept.length > 0) this.#addRun(this.#runOf(kept, totalBytes(kept)));
    run.spooled.release();
  }

  /** Empty where it cannot be read: what was in it is gone from here. */
  #read(run: Run): Delivery[] {
    try {
      return decodeDeliveries({ bytes: run.spooled.read(), shared: run.shared });
    } catch (error) {
      this.#spool.unreadable(run.count, error);
      for (const { lane } of run.shared) lane.release();
      return [];
    }
  }

  #setHead(deliveries: Delivery[]): void {
    this.#head = deliveries;
    this.#headIndex = 0;
    this.#headBytes = totalBytes(deliveries);
  }

  #reset(): void {
    this.#setHead([]);
    this.#runs = null;
    this.#tail = [];
    this.#tailBytes = 0;
  }

  get #objectBytes(): number {
    return this.#headBytes + this.#tailBytes;
  }

  /** Counts and bytes anew, from what is held now. */
  #recount(objectBytesBefore: number): void {
    const runs = this.#runs ?? [];
    this.#count = this.#head.length + this.#tail.length + runs.reduce((sum, { count }) => sum + count, 0);
    this.#byteLength = this.#headBytes + this.#tailBytes + runs.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#spool.objectBytes += this.#objectBytes - objectBytesBefore;
  }
}

function totalBytes(deliveries: readonly Delivery[]): number {
  let bytes = 0;
  for (const { message } of deliveries) bytes += messageBytes(message);
  return bytes;
}
