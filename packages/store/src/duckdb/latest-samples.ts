/**
 * The newest sample of every series, in columns, and with it what tells rows that come in order from those that may be
 * repetitions: a row that is newer than everything its series has is the only one of its source time.
 */
import type { SampleBatch } from '@fieldline/model';
import type { LatestSample } from '../store.ts';

export class LatestSamples {
  readonly #slots = new Map<number, number>();
  #seriesId: number[] = [];
  #sourceTime = new Float64Array(1024);
  #receivedTime = new Float64Array(1024);
  #value = new Float64Array(1024);
  #quality = new Uint8Array(1024);
  #version = new Float64Array(1024);
  readonly #texts = new Map<number, string>();
  /** Of a batch under way, by slot: the newest source time and version so far and the row that has them (−1 = none). */
  #pendingTime = new Float64Array(1024);
  #pendingVersion = new Float64Array(1024);
  #pendingRow = new Int32Array(1024).fill(-1);
  #touched: number[] = [];

  /** Looks through a batch before it is written; `late` is told each row that is not newer than all of its series. */
  prepare(batch: SampleBatch, late: (row: number) => void): void {
    for (let row = 0; row < batch.count; row += 1) {
      const slot = this.#slotOf(batch.seriesId[row]!);
      const time = batch.sourceTime[row]!;
      const pending = this.#pendingRow[slot]! >= 0;
      const newest = pending ? this.#pendingTime[slot]! : this.#sourceTime[slot]!;
      if (time <= newest) {
        late(row);
        const version = pending ? this.#pendingVersion[slot]! : this.#version[slot]!;
        if (time < newest || batch.version[row]! <= version) continue;
      }
      if (!pending) this.#touched.push(slot);
      this.#pendingTime[slot] = time;
      this.#pendingVersion[slot] = batch.version[row]!;
      this.#pendingRow[slot] = row;
    }
  }

  /** After the batch is durable: takes over what prepare() found. */
  commit(batch: SampleBatch): void {
    for (const slot of this.#touched) this.#set(slot, batch, this.#pendingRow[slot]!);
    this.rollback();
  }

  /** Forgets what prepare() found. */
  rollback(): void {
    for (const slot of this.#touched) this.#pendingRow[slot] = -1;
    this.#touched = [];
  }

  /** Takes over the newest of these rows, as when the store is opened. */
  load(batch: SampleBatch): void {
    this.prepare(batch, () => {});
    this.commit(batch);
  }

  /** Every series that has had a sample, ascending. */
  seriesIds(): number[] {
    return this.#seriesId.toSorted((a, b) => a - b);
  }

  get(seriesIds?: readonly number[]): LatestSample[] {
    const ids = seriesIds ?? [...this.#slots.keys()].sort((a, b) => a - b);
    return ids.flatMap((seriesId): LatestSample[] => {
      const slot = this.#slots.get(seriesId);
      if (slot === undefined || this.#sourceTime[slot] === -Infinity) return [];
      return [
        {
          seriesId,
          sourceTime: this.#sourceTime[slot]!,
          receivedTime: this.#receivedTime[slot]!,
          value: this.#value[slot]!,
          text: this.#texts.get(slot) ?? null,
          quality: this.#quality[slot]!,
        },
      ];
    });
  }

  #set(slot: number, batch: SampleBatch, row: number): void {
    this.#sourceTime[slot] = batch.sourceTime[row]!;
    this.#receivedTime[slot] = batch.receivedTime[row]!;
    this.#value[slot] = batch.value[row]!;
    this.#quality[slot] = batch.quality[row]!;
    this.#version[slot] = batch.version[row]!;
    const text = batch.texts?.get(row);
    if (text !== undefined) this.#texts.set(slot, text);
    else if (this.#texts.size > 0) this.#texts.delete(slot);
  }

  #slotOf(seriesId: number): number {
    const known = this.#slots.get(seriesId);
    if (known !== undefined) return known;
    const slot = this.#seriesId.length;
    if (slot === this.#sourceTime.length) this.#grow(slot * 2);
    this.#slots.set(seriesId, slot);
    this.#seriesId.push(seriesId);
    this.#sourceTime[slot] = -Infinity;
    return slot;
  }

  #grow(length: number): void {
    const grown = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(length);
      to.set(from);
      return to;
    };
    this.#sourceTime = grown(this.#sourceTime);
    this.#receivedTime = grown(this.#receivedTime);
    this.#value = grown(this.#value);
    this.#version = grown(this.#version);
    this.#pendingTime = grown(this.#pendingTime);
    this.#pendingVersion = grown(this.#pendingVersion);
    const quality = new Uint8Array(length);
    quality.set(this.#quality);
    this.#quality = quality;
    const row = new Int32Array(length).fill(-1);
    row.set(this.#pendingRow);
    this.#pendingRow = row;
  }
}
