/**
 * The newest samples of one metric, in typed arrays. Twice the capacity is allocated: samples are appended until the end,
 * then the newest half moves to the front, so that the valid part is always one piece and an append costs O(1).
 * When full, the oldest sample is dropped: the store has it. Late samples go to their place, equal times replace (corrections).
 */
import { type Columns, indexAtOrAfter } from './columns.ts';

const GAP_MIN_MS = 3_000;
const GAP_SPACINGS = 8;

export class SampleRing implements Columns {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly capacity: number;
  start = 0;
  end = 0;
  gapMs = GAP_MIN_MS;
  #spacingMs = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.times = new Float64Array(capacity * 2);
    this.values = new Float64Array(capacity * 2);
  }

  get count(): number {
    return this.end - this.start;
  }

  /** Time of the newest sample; -Infinity where there is none. */
  get newestTime(): number {
    return this.end === this.start ? Number.NEGATIVE_INFINITY : this.times[this.end - 1]!;
  }

  /** Samples a second by the spacing of the newest ones; 0 where unknown. */
  get rate(): number {
    return this.#spacingMs === 0 ? 0 : 1000 / this.#spacingMs;
  }

  append(time: number, value: number): void {
    if (time <= this.newestTime) {
      this.#insert(time, value);
      return;
    }
    if (this.count > 0) this.#learnSpacing(time - this.newestTime);
    if (this.end === this.times.length) this.#compact();
    this.times[this.end] = time;
    this.values[this.end] = value;
    this.end += 1;
    if (this.count > this.capacity) this.start += 1;
  }

  clear(): void {
    this.start = 0;
    this.end = 0;
  }

  #insert(time: number, value: number): void {
    const at = indexAtOrAfter(this, time);
    if (this.times[at] === time) {
      this.values[at] = value;
      return;
    }
    if (this.count === this.capacity && at === this.start) return; // Older than all that a full ring keeps.
    if (this.end === this.times.length) {
      this.#compact();
      this.#insert(time, value);
      return;
    }
    this.times.copyWithin(at + 1, at, this.end);
    this.values.copyWithin(at + 1, at, this.end);
    this.times[at] = time;
    this.values[at] = value;
    this.end += 1;
    if (this.count > this.capacity) this.start += 1;
  }

  #compact(): void {
    this.times.copyWithin(0, this.start, this.end);
    this.values.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }

  #learnSpacing(spacing: number): void {
    const known = this.#spacingMs === 0 ? spacing : this.#spacingMs;
    this.#spacingMs = known + (Math.min(spacing, known * 20) - known) * 0.1;
    this.gapMs = Math.max(GAP_MIN_MS, this.#spacingMs * GAP_SPACINGS);
  }
}
