/** Telemetry in memory for tests of the api: what the store's contract says of reading, for numbers of good quality. */
import { QUALITY_GOOD, RESOLUTION_MICROS } from '@fieldline/model';
import type { BucketColumns, SampleColumns } from '@fieldline/store';
import type { ApiDependencies } from '../dependencies.ts';

export interface MemoryTelemetry extends Pick<ApiDependencies, 'telemetry'> {
  /** Adds samples: time in microseconds, value or text. */
  put(seriesId: number, samples: readonly (readonly [time: number, value: number | string])[]): void;
}

export function createMemoryTelemetry(): MemoryTelemetry {
  const series = new Map<number, Map<number, number | string>>();
  const rows = (id: number, from: number, to: number): [number, number | string][] =>
    [...(series.get(id) ?? [])].filter(([time]) => time >= from && time < to).sort(([a], [b]) => a - b);
  const known = (ids: readonly number[]): number[] => ids.filter((id) => series.has(id));

  return {
    put: (seriesId, samples) => {
      const values = series.get(seriesId) ?? new Map<number, number | string>();
      series.set(seriesId, values);
      for (const [time, value] of samples) values.set(time, value);
    },
    telemetry: {
      readRaw: async ({ seriesIds, from, to, limit, order = 'asc' }) =>
        known(seriesIds).map((id) => {
          const found = rows(id, from, to);
          return columnsOf(id, order === 'asc' ? found.slice(0, limit) : found.slice(-limit));
        }),
      downsample: async ({ seriesIds, from, to, points }) =>
        known(seriesIds).map((id) => {
          const found = rows(id, from, to);
          const step = Math.max(1, Math.ceil(found.length / points));
          return columnsOf(
            id,
            found.filter((_, row) => row % step === 0),
          );
        }),
      readBuckets: async ({ seriesIds, from, to, resolution, limit }) =>
        known(seriesIds).map((id) => bucketsOf(id, rows(id, from, to), RESOLUTION_MICROS[resolution], limit)),
      latest: async (seriesIds) =>
        known(seriesIds ?? [...series.keys()]).flatMap((id) => {
          const last = rows(id, 0, Number.MAX_SAFE_INTEGER).at(-1);
          if (last === undefined) return [];
          const [sourceTime, value] = last;
          const text = typeof value === 'string' ? value : null;
          const number = typeof value === 'string' ? Number.NaN : value;
          return [{ seriesId: id, sourceTime, receivedTime: sourceTime, value: number, text, quality: QUALITY_GOOD }];
        }),
    },
  };
}

function columnsOf(seriesId: number, rows: readonly [number, number | string][]): SampleColumns {
  const texts = new Map(rows.flatMap(([, value], row) => (typeof value === 'string' ? [[row, value] as const] : [])));
  const sourceTime = Float64Array.from(rows, ([time]) => time);
  return {
    seriesId,
    sourceTime,
    receivedTime: sourceTime,
    value: Float64Array.from(rows, ([, value]) => (typeof value === 'string' ? Number.NaN : value)),
    quality: Uint8Array.from(rows, () => QUALITY_GOOD),
    texts: texts.size === 0 ? null : texts,
  };
}

function bucketsOf(
  seriesId: number,
  rows: readonly [number, number | string][],
  length: number,
  limit: number,
): BucketColumns {
  const groups = Map.groupBy(rows, ([time]) => Math.floor(time / length) * length);
  const buckets = [...groups].slice(0, limit).map(([start, members]) => ({
    start,
    numbers: members.flatMap(([, value]) => (typeof value === 'number' ? [value] : [])),
  }));
  const column = (of: (numbers: number[]) => number): Float64Array =>
    Float64Array.from(buckets, ({ numbers }) => (numbers.length === 0 ? Number.NaN : of(numbers)));
  const mean = (numbers: number[]): number => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return {
    seriesId,
    start: Float64Array.from(buckets, ({ start }) => start),
    average: column(mean),
    minimum: column((numbers) => Math.min(...numbers)),
    maximum: column((numbers) => Math.max(...numbers)),
    stddev: column((numbers) => {
      if (numbers.length < 2) return Number.NaN;
      const average = mean(numbers);
      return Math.sqrt(numbers.reduce((sum, value) => sum + (value - average) ** 2, 0) / (numbers.length - 1));
    }),
    count: Float64Array.from(buckets, ({ numbers }) => numbers.length),
    first: column((numbers) => numbers[0]!),
    last: column((numbers) => numbers.at(-1)!),
    percentGood: Float64Array.from(buckets, () => 100),
  };
}
