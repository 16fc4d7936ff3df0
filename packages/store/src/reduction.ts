/**
 * What adapters share when they reduce samples: which samples count, how wide a slice of a down-sampled range is, and how
 * slices and buckets become columns. One definition, so that every adapter gives the same answer. Pure.
 */
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_HOUR, MICROS_PER_MINUTE, type Micros, QUALITY_GOOD, QUALITY_UNCERTAIN } from '@fieldline/model';
import type { BucketColumns, DownsampleQuery, SampleColumns } from './store.ts';

/** What is known of one bucket. times and values are NaN where no number of usable quality is in it. */
export interface Bucket {
  readonly start: Micros;
  readonly count: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
  readonly minimum: number;
  readonly minimumTime: Micros;
  readonly maximum: number;
  readonly maximumTime: Micros;
  readonly first: number;
  readonly firstTime: Micros;
  readonly last: number;
  readonly lastTime: Micros;
  readonly good: number;
  readonly total: number;
}

/** From this magnitude on a square cannot be held with safety, and a stddev is given as infinite. */
export const SQUARE_MAGNITUDE_MAX = 1e150;

export const DOWNSAMPLE_POINTS_MAX = 100_000;

/** True for what goes into aggregates: numbers that are not bad. The bit is set in good (11…) and uncertain (01…). */
export function isUsable(value: number, quality: number): boolean {
  return (quality & 64) !== 0 && !Number.isNaN(value);
}

/**
 * Width of a slice, microseconds: four points come out of each. Wide slices are whole minutes, quarters or hours, so that
 * they can be put together from roll-ups.
 */
export function sliceMicros(query: DownsampleQuery): number {
  if (!(query.points >= 1 && query.points <= DOWNSAMPLE_POINTS_MAX)) {
    throw new FieldlineError('BAD_REQUEST', `points is ${query.points}; it must be 1 to ${DOWNSAMPLE_POINTS_MAX}`);
  }
  const width = Math.max(1, (query.to - query.from) / Math.max(1, Math.floor(query.points / 4)));
  const step = [MICROS_PER_HOUR, 15 * MICROS_PER_MINUTE, MICROS_PER_MINUTE, 1].find((unit) => width >= unit) ?? 1;
  return Math.ceil(width / step) * step;
}

/** Buckets (ascending) as columns. */
export function bucketColumns(seriesId: number, buckets: readonly Bucket[]): BucketColumns {
  const column = (of: (bucket: Bucket) => number): Float64Array => Float64Array.from(buckets, of);
  return {
    seriesId,
    start: column((bucket) => bucket.start),
    average: column((bucket) => bucket.mean),
    // + 0 turns −0 into 0: of the two, which are equal, either may be the minimum
    minimum: column((bucket) => bucket.minimum + 0),
    maximum: column((bucket) => bucket.maximum + 0),
    stddev: column((bucket) => (bucket.count < 2 ? Number.NaN : Math.sqrt(bucket.squares / (bucket.count - 1)))),
    count: column((bucket) => bucket.count),
    first: column((bucket) => bucket.first),
    last: column((bucket) => bucket.last),
    percentGood: column((bucket) => (100 * bucket.good) / bucket.total),
  };
}

/** The up to four points of each slice, in order, each once. */
export function slicePoints(seriesId: number, slices: readonly Bucket[]): SampleColumns {
  const times: number[] = [];
  const values: number[] = [];
  const qualities: number[] = [];
  for (const slice of slices) {
    if (slice.count === 0) continue;
    const points = new Map([
      [slice.firstTime, slice.first],
      [slice.minimumTime, slice.minimum],
      [slice.maximumTime, slice.maximum],
      [slice.lastTime, slice.last],
    ]);
    for (const [time, value] of [...points].sort(([a], [b]) => a - b)) {
      times.push(time);
      values.push(value + 0);
      qualities.push(slice.good === slice.total ? QUALITY_GOOD : QUALITY_UNCERTAIN);
    }
  }
  const sourceTime = Float64Array.from(times);
  return {
    seriesId,
    sourceTime,
    receivedTime: sourceTime.slice(),
    value: Float64Array.from(values),
    quality: Uint8Array.from(qualities),
    texts: null,
  };
}
