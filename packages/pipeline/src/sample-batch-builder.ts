/**
 * Gathers the samples of one transaction in columns. Memory grows by doubling and is kept. Beside what the store gets it knows
 * which raw record each row comes from, so that a batch can be cut between records.
 */
import type { Position, SampleBatch } from '@fieldline/model';

export class SampleBatchBuilder {
  count = 0;
  seriesId: Int32Array;
  sourceTime: Float64Array;
  receivedTime: Float64Array;
  value: Float64Array;
  quality: Uint8Array;
  version: Float64Array;
  /** Log position of the raw record that a row was read from. Equal rows stand together, ascending. */
  recordPosition: Float64Array;
  #texts: Map<number, string> | null = null;

  constructor(samplesExpected = 65_536) {
    this.seriesId = new Int32Array(samplesExpected);
    this.sourceTime = new Float64Array(samplesExpected);
    this.receivedTime = new Float64Array(samplesExpected);
    this.value = new Float64Array(samplesExpected);
    this.quality = new Uint8Array(samplesExpected);
    this.version = new Float64Array(samplesExpected);
    this.recordPosition = new Float64Array(samplesExpected);
  }

  /** Makes room for so many rows more. */
  reserve(rows: number): void {
    const needed = this.count + rows;
    if (needed <= this.value.length) return;
    const length = Math.max(needed, this.value.length * 2);
    this.seriesId = grown(this.seriesId, new Int32Array(length));
    this.sourceTime = grown(this.sourceTime, new Float64Array(length));
    this.receivedTime = grown(this.receivedTime, new Float64Array(length));
    this.value = grown(this.value, new Float64Array(length));
    this.quality = grown(this.quality, new Uint8Array(length));
    this.version = grown(this.version, new Float64Array(length));
    this.recordPosition = grown(this.recordPosition, new Float64Array(length));
  }

  setText(row: number, text: string): void {
    this.#texts ??= new Map();
    this.#texts.set(row, text);
  }

  /** Rows [from, to) as views into the builder's memory: valid until reset(). */
  view(from = 0, to = this.count): SampleBatch {
    return {
      count: to - from,
      seriesId: this.seriesId.subarray(from, to),
      sourceTime: this.sourceTime.subarray(from, to),
      receivedTime: this.receivedTime.subarray(from, to),
      value: this.value.subarray(from, to),
      quality: this.quality.subarray(from, to),
      version: this.version.subarray(from, to),
      texts: this.#textsOf(from, to),
    };
  }

  /** The first row at or after the middle of [from, to) at which another record begins; `to` where there is one record only. */
  middleOf(from: number, to: number): number {
    const isStart = (row: number): boolean => this.recordPosition[row] !== this.recordPosition[row - 1];
    const middle = Math.floor((from + to) / 2);
    for (let row = Math.max(middle, from + 1); row < to; row++) if (isStart(row)) return row;
    for (let row = middle; row > from; row--) if (isStart(row)) return row;
    return to;
  }

  /** The record that row belongs to. */
  positionOf(row: number): Position {
    return this.recordPosition[row]!;
  }

  reset(): void {
    this.count = 0;
    this.#texts = null;
  }

  #textsOf(from: number, to: number): Map<number, string> | null {
    if (this.#texts === null || (from === 0 && to === this.count)) return this.#texts;
    const texts = new Map<number, string>();
    for (const [row, text] of this.#texts) if (row >= from && row < to) texts.set(row - from, text);
    return texts.size === 0 ? null : texts;
  }
}

function grown<T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
