/**
 * What the chart draws from: one trace in columns, ascending by time, in [start, end) of its arrays. The arrays may be longer
 * than what is valid (ring buffers are), so nothing is copied to draw.
 */
export interface Columns {
  /** Milliseconds since 1970. */
  readonly times: Float64Array;
  /** Values or averages; NaN = none. */
  readonly values: Float64Array;
  /** Envelope of aggregated data; absent for samples. */
  readonly lows?: Float64Array;
  readonly highs?: Float64Array;
  readonly start: number;
  readonly end: number;
  /** Neighbours further apart than this are not joined by a line. Milliseconds. */
  readonly gapMs: number;
}

/** The first index in [start, end) whose time is not before `time`; end where there is none. */
export function indexAtOrAfter(columns: Columns, time: number): number {
  const { times } = columns;
  let low = columns.start;
  let high = columns.end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index whose time is nearest to `time`, if it is no further than gapMs away; else -1. */
export function indexNearest(columns: Columns, time: number): number {
  const { times, start, end, gapMs } = columns;
  const after = indexAtOrAfter(columns, time);
  const before = after - 1;
  let nearest = -1;
  if (after < end) nearest = after;
  if (before >= start && (nearest < 0 || time - times[before]! <= times[nearest]! - time)) nearest = before;
  return nearest >= 0 && Math.abs(times[nearest]! - time) <= gapMs ? nearest : -1;
}

/** Lowest and highest value in [from, to] (envelope included) into `into`; unchanged where there is none. */
export function widenByValues(columns: Columns, from: number, to: number, into: { low: number; high: number }): void {
  const { times, values } = columns;
  const lows = columns.lows ?? values;
  const highs = columns.highs ?? values;
  const first = Math.max(columns.start, indexAtOrAfter(columns, from) - 1);
  for (let index = first; index < columns.end && (times[index]! <= to || index === first); index += 1) {
    if (lows[index]! < into.low) into.low = lows[index]!;
    if (highs[index]! > into.high) into.high = highs[index]!;
  }
}

/** The typical distance of neighbours: the median over up to 101 of them. 0 where there are fewer than two. */
export function typicalSpacing(times: ArrayLike<number>, start = 0, end = times.length): number {
  const pairs = end - start - 1;
  if (pairs < 1) return 0;
  const step = Math.max(1, Math.floor(pairs / 101));
  const distances: number[] = [];
  for (let index = start; index < end - 1; index += step) distances.push(times[index + 1]! - times[index]!);
  distances.sort((left, right) => left - right);
  return distances[distances.length >> 1]!;
}
