/**
 * One page of points of one or several series: asked of the store per series, merged by (time, series), cut at the limit.
 * In: series the caller may read, a range, a resolution, where the last page ended; out: points in JSON's form.
 */
import type { BucketPoint, SamplePoint } from '@fieldline/contract';
import { type Micros, microsToIso, qualityOf, type Resolution, type SeriesDefinition } from '@fieldline/model';
import type { BucketColumns, SampleColumns, TelemetryReader } from '@fieldline/store';

/** Rows asked of the store for one page, over all series: bounds memory. With many series pages get shorter. */
const ROWS_MAX = 200_000;

export interface PageRequest {
  readonly series: readonly SeriesDefinition[];
  readonly from: Micros;
  readonly to: Micros;
  readonly aggregation: 'none' | Resolution;
  readonly timeZone: string;
  readonly limit: number;
  /** The last point of the page before; null = first page. */
  readonly after: { readonly time: Micros; readonly seriesId: number } | null;
}

export interface Page {
  readonly points: SamplePoint[] | BucketPoint[];
  /** The last point of this page where more follow. */
  readonly last: { readonly time: Micros; readonly seriesId: number } | null;
}

/** Columns with what merging needs. */
interface Track<C> {
  readonly columns: C;
  readonly metricKey: string;
  readonly seriesId: number;
  readonly time: Float64Array;
  row: number;
}

/** Reads one page. */
export async function readPage(
  store: Pick<TelemetryReader, 'readRaw' | 'readBuckets'>,
  ask: PageRequest,
): Promise<Page> {
  if (ask.series.length === 0) return { points: [], last: null };
  const limit = Math.min(ask.limit, Math.max(1, Math.floor(ROWS_MAX / ask.series.length)));
  const range = {
    seriesIds: ask.series.map(({ id }) => id),
    from: ask.after?.time ?? ask.from,
    to: ask.to,
    // One for the point at the cursor's own time, one to see whether more follow.
    limit: limit + 2,
  };
  const several = ask.series.length > 1;
  if (ask.aggregation === 'none') {
    const found = await store.readRaw(range);
    const tracks = found.map((columns) => track(columns, columns.sourceTime, ask));
    return merge(tracks, ask.after, limit, (one, row) => samplePoint(one, row, several));
  }
  const { aggregation: resolution, timeZone } = ask;
  const found = await store.readBuckets({ ...range, resolution, timeZone });
  const tracks = found.map((columns) => track(columns, columns.start, ask));
  return merge(tracks, ask.after, limit, (one, row) => bucketPoint(one, row, several));
}

function track<C extends { readonly seriesId: number }>(columns: C, time: Float64Array, ask: PageRequest): Track<C> {
  const { metricKey } = ask.series.find(({ id }) => id === columns.seriesId)!;
  return { columns, metricKey, seriesId: columns.seriesId, time, row: 0 };
}

function merge<C, P>(
  tracks: Track<C>[],
  after: PageRequest['after'],
  limit: number,
  pointOf: (track: Track<C>, row: number) => P,
): { points: P[]; last: Page['last'] } {
  if (after !== null) for (const one of tracks) skip(one, after);
  const points: P[] = [];
  let last: Page['last'] = null;
  for (let next = earliest(tracks); next !== null; next = earliest(tracks)) {
    if (points.length === limit) return { points, last };
    points.push(pointOf(next, next.row));
    last = { time: next.time[next.row]!, seriesId: next.seriesId };
    next.row += 1;
  }
  return { points, last: null };
}

/** Passes over what the page before has already given out. */
function skip<C>(one: Track<C>, after: { readonly time: Micros; readonly seriesId: number }): void {
  const passed = (time: number): boolean =>
    time < after.time || (time === after.time && one.seriesId <= after.seriesId);
  while (one.row < one.time.length && passed(one.time[one.row]!)) one.row += 1;
}

function earliest<C>(tracks: readonly Track<C>[]): Track<C> | null {
  let best: Track<C> | null = null;
  for (const one of tracks) {
    if (one.row >= one.time.length) continue;
    const time = one.time[one.row]!;
    const bestTime = best === null ? Number.POSITIVE_INFINITY : best.time[best.row]!;
    if (time < bestTime || (time === bestTime && one.seriesId < best!.seriesId)) best = one;
  }
  return best;
}

function samplePoint({ columns, metricKey }: Track<SampleColumns>, row: number, several: boolean): SamplePoint {
  return {
    timestamp: microsToIso(columns.sourceTime[row]!),
    ...(several ? { metricKey } : {}),
    value: columns.texts?.get(row) ?? orNull(columns.value[row]!),
    quality: qualityOf(columns.quality[row]!),
  };
}

function bucketPoint({ columns, metricKey }: Track<BucketColumns>, row: number, several: boolean): BucketPoint {
  return {
    timestamp: microsToIso(columns.start[row]!),
    ...(several ? { metricKey } : {}),
    avg: orNull(columns.average[row]!),
    min: orNull(columns.minimum[row]!),
    max: orNull(columns.maximum[row]!),
    stddev: orNull(columns.stddev[row]!),
    count: columns.count[row]!,
    first: orNull(columns.first[row]!),
    last: orNull(columns.last[row]!),
    percentGood: columns.percentGood[row]!,
  };
}

/** JSON has no NaN. */
export function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
