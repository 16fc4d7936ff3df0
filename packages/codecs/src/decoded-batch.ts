/**
 * What codecs fill: samples in columns, metrics still by name, times as the device said them (NaN where it said none).
 * One batch takes the samples of many records; recordIndex leads back to the raw record. Memory is kept between uses.
 */
import type { Micros } from '@fieldline/model';
import type { DecodeErrorCode } from './codec.ts';

/** One metric of one record that was not accepted; the rest of the record was. */
export interface Rejection {
  readonly recordIndex: number;
  readonly metric: string;
  readonly code: DecodeErrorCode;
  readonly message: string;
}

export class DecodedBatch {
  count = 0;
  recordIndex: Uint32Array;
  /** Microseconds, NaN = the payload told no time. */
  sourceTime: Float64Array;
  /** NaN for a text; booleans are 0 and 1. */
  value: Float64Array;
  quality: Uint8Array;
  /** 0 number, 1 boolean, 2 text. */
  valueKind: Uint8Array;
  /** Metric name by row, as the payload says it. */
  readonly metric: string[] = [];
  /** Unit by row where the payload told one; sparse. */
  readonly units = new Map<number, string>();
  readonly texts = new Map<number, string>();
  readonly rejections: Rejection[] = [];
  #record = 0;

  constructor(samplesExpected = 16_384) {
    this.recordIndex = new Uint32Array(samplesExpected);
    this.sourceTime = new Float64Array(samplesExpected);
    this.value = new Float64Array(samplesExpected);
    this.quality = new Uint8Array(samplesExpected);
    this.valueKind = new Uint8Array(samplesExpected);
  }

  /** Says which raw record the following samples come from. */
  beginRecord(recordIndex: number): void {
    this.#record = recordIndex;
  }

  /** Adds a number; it must be finite (reject() it otherwise). */
  addNumber(metric: string, sourceTime: Micros, value: number, quality: number): void {
    this.#add(metric, sourceTime, value, quality, 0);
  }

  addBoolean(metric: string, sourceTime: Micros, value: boolean, quality: number): void {
    this.#add(metric, sourceTime, value ? 1 : 0, quality, 1);
  }

  addText(metric: string, sourceTime: Micros, text: string, quality: number): void {
    this.texts.set(this.count, text);
    this.#add(metric, sourceTime, Number.NaN, quality, 2);
  }

  /** The unit of the sample that was added last. */
  unitOfLast(unit: string): void {
    this.units.set(this.count - 1, unit);
  }

  /** Tells that one metric of the current record is not accepted. */
  reject(metric: string, code: DecodeErrorCode, message: string): void {
    this.rejections.push({ recordIndex: this.#record, metric, code, message });
  }

  /** Takes back everything from row `count` on, and the current record's rejections: its payload failed half-way. */
  truncate(count: number): void {
    for (let row = count; row < this.count; row++) {
      this.texts.delete(row);
      this.units.delete(row);
    }
    this.count = count;
    this.metric.length = count;
    while (this.rejections.at(-1)?.recordIndex === this.#record) this.rejections.pop();
  }

  /** Empties the batch; its memory is kept. */
  reset(): void {
    this.count = 0;
    this.metric.length = 0;
    this.units.clear();
    this.texts.clear();
    this.rejections.length = 0;
  }

  #add(metric: string, sourceTime: Micros, value: number, quality: number, kind: number): void {
    const row = this.count;
    if (row === this.value.length) this.#grow();
    this.recordIndex[row] = this.#record;
    this.sourceTime[row] = sourceTime;
    this.value[row] = value;
    this.quality[row] = quality;
    this.valueKind[row] = kind;
    this.metric[row] = metric;
    this.count = row + 1;
  }

  #grow(): void {
    const length = this.value.length * 2;
    const grow = <T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.recordIndex = grow(this.recordIndex, new Uint32Array(length));
    this.sourceTime = grow(this.sourceTime, new Float64Array(length));
    this.value = grow(this.value, new Float64Array(length));
    this.quality = grow(this.quality, new Uint8Array(length));
    this.valueKind = grow(this.valueKind, new Uint8Array(length));
  }
}
