/** Several series of several devices in columns, for charts: reduced samples, or roll-ups. */
import type { BucketSeries, SampleSeries } from '@fieldline/contract';
import type { Micros, Resolution, SeriesDefinition } from '@fieldline/model';
import type { BucketColumns, SampleColumns, TelemetryReader } from '@fieldline/store';
import { orNull } from './read-page.ts';
import { bucketCount } from './resolution.ts';

export interface SeriesRequest {
  /** What was asked for, in its order; series null = the device has not sent this metric yet. */
  readonly asked: readonly {
    readonly deviceId: string;
    readonly metricKey: string;
    readonly series: SeriesDefinition | null;
  }[];
  readonly from: Micros;
  readonly to: Micros;
  readonly aggregation: 'none' | Resolution;
  readonly points: number;
  readonly timeZone: string;
}

type Asked = SeriesRequest['asked'][number];

/** One answer for each series that was asked for, in the same order. */
export async function readSeries(
  store: Pick<TelemetryReader, 'downsample' | 'readBuckets'>,
  request: SeriesRequest,
): Promise<(SampleSeries | BucketSeries)[]> {
  const { asked, from, to, aggregation, points, timeZone } = request;
  const seriesIds = [...new Set(asked.flatMap(({ series }) => series?.id ?? []))];
  if (aggregation === 'none') {
    const found = seriesIds.length === 0 ? [] : await store.downsample({ seriesIds, from, to, points });
    const bySeries = new Map(found.map((columns) => [columns.seriesId, columns]));
    return asked.map((one) => sampleSeries(one, bySeries.get(one.series?.id ?? -1)));
  }
  const query = { seriesIds, from, to, resolution: aggregation, timeZone, limit: bucketCount(to - from, aggregation) };
  const found = seriesIds.length === 0 ? [] : await store.readBuckets(query);
  const bySeries = new Map(found.map((columns) => [columns.seriesId, columns]));
  return asked.map((one) => bucketSeries(one, bySeries.get(one.series?.id ?? -1)));
}

function sampleSeries({ deviceId, metricKey, series }: Asked, columns: SampleColumns | undefined): SampleSeries {
  const values: (number | string | null)[] = numbersOf(columns?.value);
  for (const [row, text] of columns?.texts ?? []) values[row] = text;
  return {
    kind: 'samples',
    deviceId,
    metricKey,
    unit: series?.unit ?? '',
    timestamps: millisecondsOf(columns?.sourceTime),
    values,
    quality: Array.from(columns?.quality ?? []),
  };
}

function bucketSeries({ deviceId, metricKey, series }: Asked, columns: BucketColumns | undefined): BucketSeries {
  return {
    kind: 'buckets',
    deviceId,
    metricKey,
    unit: series?.unit ?? '',
    timestamps: millisecondsOf(columns?.start),
    avg: numbersOf(columns?.average),
    min: numbersOf(columns?.minimum),
    max: numbersOf(columns?.maximum),
    stddev: numbersOf(columns?.stddev),
    count: Array.from(columns?.count ?? []),
    first: numbersOf(columns?.first),
    last: numbersOf(columns?.last),
    percentGood: Array.from(columns?.percentGood ?? []),
  };
}

function millisecondsOf(micros: Float64Array | undefined): number[] {
  return Array.from(micros ?? [], (time) => time / 1000);
}

function numbersOf(values: Float64Array | undefined): (number | null)[] {
  return Array.from(values ?? [], orNull);
}
