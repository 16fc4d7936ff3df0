/** What the history chart shows: the range in its address, and what to ask the store so that every pixel has its data. */
import type { Answer } from '@fieldline/contract/client';
import type { Columns } from '../../chart/columns.ts';
import { typicalSpacing } from '../../chart/columns.ts';
import type { TimeSpan } from '../../chart/pan-zoom.ts';
import { readMetrics } from '../live-chart/panel-state.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const PRESETS = {
  '15m': 15 * MINUTE,
  '1h': HOUR,
  '6h': 6 * HOUR,
  '24h': DAY,
  '7d': 7 * DAY,
  '30d': 30 * DAY,
  '90d': 90 * DAY,
  '1y': 365 * DAY,
} as const;
export type Preset = keyof typeof PRESETS;
export const PRESET_DEFAULT: Preset = '1h';

export interface HistorySearch {
  /** The last so long, up to now. */
  readonly range?: Preset;
  /** A fixed range, in milliseconds since 1970; both or none. It wins over `range`. */
  readonly from?: number;
  readonly to?: number;
  readonly metrics?: readonly string[];
}

/** Reads the address; what it does not understand is as if it were not there. */
export function readHistorySearch(search: Record<string, unknown>): HistorySearch {
  const metrics = readMetrics(search.metrics);
  const chosen = metrics === undefined ? {} : { metrics };
  const from = Number(search.from ?? Number.NaN);
  const to = Number(search.to ?? Number.NaN);
  if (from < to && from >= 0) return { from: Math.round(from), to: Math.round(to), ...chosen };
  const range = String(search.range);
  return Object.hasOwn(PRESETS, range) ? { range: range as Preset, ...chosen } : chosen;
}

/** The span that the address means at `now`. */
export function spanOf(search: HistorySearch, now: number): TimeSpan {
  if (search.from !== undefined && search.to !== undefined) return { from: search.from, to: search.to };
  return { from: now - PRESETS[search.range ?? PRESET_DEFAULT], to: now };
}

/** Whether the range follows the time instead of standing still. */
export function followsNow(search: HistorySearch): boolean {
  return search.from === undefined;
}

/** Up to this span the samples themselves are asked for (thinned, minima and maxima kept); beyond it, roll-ups. */
const RAW_SPAN_MAX_MS = 30 * MINUTE;
/** Points a pixel: a little finer than the screen, so that a small zoom is already there. */
const POINTS_PER_PIXEL = 1.5;
const POINTS_MIN = 200;
const POINTS_MAX = 6_000;
/** Asked for beyond both edges, as part of the span, so that a small pan is already there. */
const MARGIN = 0.1;

export interface HistoryQuestion {
  readonly startTime: number;
  readonly endTime: number;
  readonly aggregation: 'none' | 'auto';
  readonly points: number;
}

/** What the pixels need. Times are rounded to a hundredth of the span, so that near questions share an answer. */
export function questionOf(span: TimeSpan, widthPx: number): HistoryQuestion {
  const length = span.to - span.from;
  const grain = Math.max(1, Math.floor(length / 100));
  const wanted = Math.round((widthPx * POINTS_PER_PIXEL * (1 + 2 * MARGIN)) / 100) * 100;
  return {
    startTime: Math.max(0, Math.floor((span.from - length * MARGIN) / grain) * grain),
    endTime: Math.ceil((span.to + length * MARGIN) / grain) * grain,
    aggregation: length <= RAW_SPAN_MAX_MS ? 'none' : 'auto',
    points: Math.min(POINTS_MAX, Math.max(POINTS_MIN, wanted)),
  };
}

type Series = Answer<'telemetry', 'query'>['series'][number];
type Aggregation = Answer<'telemetry', 'query'>['aggregation'];

const BUCKET_MS: Readonly<Record<Aggregation, number>> = {
  none: 0,
  auto: 0,
  '1s': 1_000,
  '10s': 10_000,
  '1m': MINUTE,
  '5m': 5 * MINUTE,
  '1h': HOUR,
  '1d': DAY,
};
const SAMPLE_GAP_SPACINGS = 12;
const SAMPLE_GAP_MIN_MS = 3_000;

/** A series of the answer as columns; a bucket is drawn at its middle. */
export function columnsOf(series: Series, aggregation: Aggregation): Columns {
  if (series.kind === 'samples') {
    const times = Float64Array.from(series.timestamps);
    const values = Float64Array.from(series.values, (value) => (typeof value === 'number' ? value : Number.NaN));
    const gapMs = Math.max(SAMPLE_GAP_MIN_MS, typicalSpacing(times) * SAMPLE_GAP_SPACINGS);
    return { times, values, start: 0, end: times.length, gapMs };
  }
  const bucketMs = BUCKET_MS[aggregation] || typicalSpacing(series.timestamps);
  return {
    times: Float64Array.from(series.timestamps, (time) => time + bucketMs / 2),
    values: numbers(series.avg),
    lows: numbers(series.min),
    highs: numbers(series.max),
    start: 0,
    end: series.timestamps.length,
    gapMs: Math.max(bucketMs, typicalSpacing(series.timestamps)) * 2.5,
  };
}

function numbers(values: readonly (number | null)[]): Float64Array {
  return Float64Array.from(values, (value) => value ?? Number.NaN);
}
