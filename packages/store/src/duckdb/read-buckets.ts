/**
 * Buckets and down-sampled ranges: plan (what comes from roll-ups, what from samples), one query that merges both, columns.
 */
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_DAY, MICROS_PER_HOUR, RESOLUTION_MICROS } from '@fieldline/model';
import { LocalDays } from '../local-days.ts';
import { type Bucket, bucketColumns, sliceMicros, slicePoints } from '../reduction.ts';
import type { BucketColumns, BucketQuery, DownsampleQuery, SampleColumns, TimeRange } from '../store.ts';
import { asDoubles, BUCKET_COLUMNS, bucketsOfSamples, mergedBuckets } from './aggregate-sql.ts';
import { fetchTable, type Table } from './chunks.ts';
import { guardedRead } from './guarded-read.ts';
import type { Layout } from './layout.ts';
import { type BucketPlan, planBuckets } from './plan-buckets.ts';
import { checkedSeries, daySteps, selectionSql } from './read-raw.ts';
import { seriesSql } from './samples-sql.ts';
import { integer } from './session.ts';
import type { StoreState } from './state.ts';
import { requireSound } from './verify-files.ts';

/** Spans of samples that are scanned each by itself; with more, one scan over all of them is cheaper. */
const SPANS_APART_MAX = 16;

interface Reduction extends TimeRange {
  readonly seriesIds: readonly number[];
  /** Width of the buckets, or for days the cell that fits into them. */
  readonly cellMicros: number;
  /** SQL for the bucket of a time expression. */
  bucketSql(time: string): string;
  readonly days: boolean;
  readonly exactTimes: boolean;
  readonly limit: number;
}

export async function readBuckets(state: StoreState, query: BucketQuery): Promise<BucketColumns[]> {
  const seriesIds = checkedSeries(query.seriesIds);
  const found = new Map(seriesIds.map((id) => [id, [] as Bucket[]]));
  await guardedRead(state, async (layout) => {
    if (query.resolution === '1d') {
      await readDays(state, layout, { ...query, seriesIds }, found);
      return;
    }
    const width = RESOLUTION_MICROS[query.resolution];
    for (const step of bucketSteps(state, layout, query, width)) {
      const open = seriesIds.filter((id) => found.get(id)!.length < query.limit);
      if (open.length === 0) break;
      const reduction = fixedWidth(open, step, width, false, query.limit);
      collect(await fetchBuckets(state, layout, reduction), found, (bucket) => bucket);
    }
  });
  return query.seriesIds.map((id) => bucketColumns(id, found.get(id)!.slice(0, query.limit)));
}

export async function downsample(state: StoreState, query: DownsampleQuery): Promise<SampleColumns[]> {
  const seriesIds = checkedSeries(query.seriesIds);
  const width = sliceMicros(query);
  const found = new Map(seriesIds.map((id) => [id, [] as Bucket[]]));
  await guardedRead(state, async (layout) => {
    const reduction = fixedWidth(seriesIds, query, width, true, Infinity);
    collect(await fetchBuckets(state, layout, reduction), found, (bucket) => bucket);
  });
  return query.seriesIds.map((id) => slicePoints(id, found.get(id)!));
}

/** Days in the zone, put together from the largest cells that no midnight of the zone cuts. */
async function readDays(
  state: StoreState,
  layout: Layout,
  query: BucketQuery,
  found: Map<number, Bucket[]>,
): Promise<void> {
  const span = dataSpan(state, layout, query);
  const days = new LocalDays(query.timeZone ?? 'UTC', span.from, span.to);
  const reduction: Reduction = {
    ...query,
    cellMicros: days.cellMicros,
    bucketSql: (time) => days.daySql(time),
    days: true,
    exactTimes: false,
  };
  collect(await fetchBuckets(state, layout, reduction), found, (day) => days.startOf(day));
}

function fixedWidth(
  seriesIds: readonly number[],
  range: TimeRange,
  width: number,
  exactTimes: boolean,
  limit: number,
): Reduction {
  const bucketSql = (time: string): string => `(${time} // ${integer(width)}) * ${integer(width)}`;
  return { seriesIds, from: range.from, to: range.to, cellMicros: width, bucketSql, days: false, exactTimes, limit };
}

/** The part of the range in which there may be something. */
function dataSpan(state: StoreState, layout: Layout, range: TimeRange): TimeRange {
  const days = layout.days(range.from, range.to);
  const hours = state.rollUps.rolled;
  let first = days[0] ?? Infinity;
  let last = days.at(-1) ?? -Infinity;
  for (const hour of hours) {
    const day = Math.floor(hour / 24);
    if (day < first) first = day;
    if (day > last) last = day;
  }
  if (first > last) return { from: range.from, to: range.from };
  const low = Math.min(first, state.rollUps.hoursDroppedBefore === -Infinity ? first : 0);
  return {
    from: Math.max(range.from, low * MICROS_PER_DAY),
    to: Math.min(range.to, (last + 1) * MICROS_PER_DAY),
  };
}

/** Steps through the range: the first is long enough for the limit where every bucket is filled. */
function bucketSteps(state: StoreState, layout: Layout, query: BucketQuery, width: number): Iterable<TimeRange> {
  const { droppedDays } = state.rollUps;
  const firstDays = Math.max(1, Math.ceil((query.limit * width) / MICROS_PER_DAY) + 1);
  // Where samples are gone their days are not in the layout: one step then, over cells that are few.
  if (droppedDays.size > 0 && width >= MICROS_PER_HOUR) return [query];
  return daySteps(layout, query, false, firstDays);
}

async function fetchBuckets(state: StoreState, layout: Layout, reduction: Reduction): Promise<Table> {
  const plan = planBuckets(state.rollUps, reduction.seriesIds, reduction, reduction.cellMicros, reduction.days);
  const parts = [...cellParts(plan, reduction)];
  for (const span of plan.samples)
    await requireSound(state, layout.filesOf({ ...span, seriesIds: reduction.seriesIds }));
  const samples = samplesOf(state, layout, plan.samples, reduction.seriesIds);
  if (samples !== null) {
    const seriesCount = state.organizations.size;
    const rows = plan.samples.reduce(
      (sum, span) => sum + layout.estimatedRows({ ...reduction, ...span }, seriesCount),
      0,
    );
    const isKept = rows <= state.settings.keptRowsMax;
    const times = !reduction.exactTimes ? 'none' : isKept ? 'kept' : 'scanned';
    parts.push(bucketsOfSamples(samples, reduction.bucketSql('source_time'), times));
  }
  if (parts.length === 0) return { rowCount: 0, columns: [], texts: new Map() };
  const columns = ['series_id', 'bucket', ...BUCKET_COLUMNS.split(', ')];
  const merged =
    parts.length === 1 && samples !== null
      ? parts[0]!
      : mergedBuckets(parts.map((part) => `SELECT ${columns.join(', ')} FROM (${part})`).join(' UNION ALL '));
  const first = Number.isSafeInteger(reduction.limit)
    ? `QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY bucket) <= ${integer(reduction.limit)}`
    : '';
  const sql = `SELECT ${asDoubles(columns)} FROM (SELECT * FROM (${merged}) ${first}) AS found
    ORDER BY found.series_id, found.bucket`;
  return state.session.read((connection) => fetchTable(connection, sql));
}

function* cellParts({ cells, cellTable, oldDays }: BucketPlan, reduction: Reduction): Generator<string> {
  const series = seriesSql(reduction);
  if (cells.length > 0 && cellTable !== null) {
    yield `SELECT series_id, ${reduction.bucketSql('start')} AS bucket, ${BUCKET_COLUMNS} FROM ${cellTable}
      WHERE ${series} AND ${spansSql('start', cells)}`;
  }
  if (oldDays !== null) {
    // A UTC day belongs to the local day that holds its noon.
    const bucket = reduction.bucketSql(`(start + ${12 * MICROS_PER_HOUR})`);
    yield `SELECT series_id, ${bucket} AS bucket, ${BUCKET_COLUMNS} FROM rollup_1d
      WHERE ${series} AND ${spansSql('start', [oldDays])}`;
  }
}

function samplesOf(
  state: StoreState,
  layout: Layout,
  spans: readonly TimeRange[],
  seriesIds: readonly number[],
): string | null {
  const filled = spans.filter(({ from, to }) => layout.days(from, to).length > 0);
  if (filled.length === 0) return null;
  if (filled.length <= SPANS_APART_MAX) {
    return filled.map((span) => selectionSql(state, layout, { seriesIds, ...span })).join(' UNION ALL ');
  }
  const whole = { seriesIds, from: filled[0]!.from, to: filled.at(-1)!.to };
  return `SELECT * FROM (${selectionSql(state, layout, whole)}) WHERE ${spansSql('source_time', filled)}`;
}

function spansSql(column: string, spans: readonly TimeRange[]): string {
  const terms = spans.map(({ from, to }) => `(${column} >= ${integer(from)} AND ${column} < ${integer(to)})`);
  return `(${terms.join(' OR ')})`;
}

function collect(table: Table, found: Map<number, Bucket[]>, startOf: (bucket: number) => number): void {
  const [series, bucket, n, mean, m2, mn, mnTime, mx, mxTime, first, firstTime, last, lastTime, good, total] =
    table.columns as Float64Array[];
  for (let row = 0; row < table.rowCount; row += 1) {
    const buckets = found.get(series![row]!);
    if (buckets === undefined)
      throw new FieldlineError('INTERNAL', `the store answered for series ${series![row]} unasked`);
    buckets.push({
      start: startOf(bucket![row]!),
      count: n![row]!,
      mean: mean![row]!,
      squares: m2![row]!,
      minimum: mn![row]!,
      minimumTime: mnTime![row]!,
      maximum: mx![row]!,
      maximumTime: mxTime![row]!,
      first: first![row]!,
      firstTime: firstTime![row]!,
      last: last![row]!,
      lastTime: lastTime![row]!,
      good: good![row]!,
      total: total![row]!,
    });
  }
}
