/**
 * The reference store: plain maps, nothing clever, nothing kept after the process. What it answers is what every adapter
 * must answer; property tests compare with it.
 */
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_DAY, MICROS_PER_MILLI, type Micros, RESOLUTION_MICROS, type SampleBatch } from '@fieldline/model';
import { LocalDays } from '../local-days.ts';
import { type Bucket, bucketColumns, isUsable, SQUARE_MAGNITUDE_MAX, sliceMicros, slicePoints } from '../reduction.ts';
import type { LatestSample, RetentionSettings, SampleColumns, TelemetryStore, TimeRange } from '../store.ts';

interface Sample {
  readonly sourceTime: Micros;
  readonly receivedTime: Micros;
  readonly value: number;
  readonly text: string | null;
  readonly quality: number;
  readonly version: number;
}

const KEEP_ALL: RetentionSettings = { rawMs: null, hourlyMs: null, dailyMs: null };
const PAGE_ROWS = 10_000;

/** A store in memory. Retention hides whole UTC days from maintain() on. */
export function createMemoryStore(retention: RetentionSettings = KEEP_ALL): TelemetryStore {
  const samples = new Map<number, Map<Micros, Sample>>();
  const newest = new Map<number, Sample>();
  const positions = new Map<string, { epoch: number; next: number }>();
  const horizons = { raw: -Infinity, hourly: -Infinity, daily: -Infinity };
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new FieldlineError('STOPPED', 'the store is closed');
  }

  function put(seriesId: number, sample: Sample): void {
    const series = samples.get(seriesId) ?? new Map<Micros, Sample>();
    samples.set(seriesId, series);
    const before = series.get(sample.sourceTime);
    if (before === undefined || sample.version > before.version) series.set(sample.sourceTime, sample);
    const last = newest.get(seriesId);
    if (last === undefined || sample.sourceTime >= last.sourceTime)
      newest.set(seriesId, series.get(sample.sourceTime)!);
  }

  function inRange(seriesId: number, range: TimeRange, horizon: Micros): Sample[] {
    return [...(samples.get(seriesId)?.values() ?? [])]
      .filter(({ sourceTime }) => sourceTime >= Math.max(range.from, horizon) && sourceTime < range.to)
      .sort((a, b) => a.sourceTime - b.sourceTime);
  }

  function horizonOf(resolution: string): Micros {
    if (resolution === '1d') return horizons.daily;
    return resolution === '1h' ? horizons.hourly : horizons.raw;
  }

  function positionOf(topic: string, partition: number): { epoch: number; next: number } {
    const key = `${topic}/${partition}`;
    const position = positions.get(key) ?? { epoch: 0, next: 0 };
    positions.set(key, position);
    return position;
  }

  const store: TelemetryStore = {
    supports: { manyProcesses: false, persistent: false, openFiles: false },
    async defineSeries() {
      assertOpen();
    },
    async definedSeries() {
      assertOpen();
      return { series: [], highestId: Math.max(0, ...samples.keys()) };
    },
    async acquire(topic, partition) {
      assertOpen();
      const position = positionOf(topic, partition);
      position.epoch += 1;
      return { topic, partition, ...position };
    },
    async append(batch, position) {
      assertOpen();
      const stored = positionOf(position.topic, position.partition);
      if (position.epoch < stored.epoch) throw new FieldlineError('WRITER_FENCED', 'another writer has the partition');
      if (position.next <= stored.next)
        throw new FieldlineError('CONFLICT', `position ${position.next} is stored already`);
      for (let row = 0; row < batch.count; row += 1) put(batch.seriesId[row]!, sampleAt(batch, row));
      stored.epoch = position.epoch;
      stored.next = position.next;
    },
    async readRaw({ seriesIds, limit, order = 'asc', ...range }) {
      assertOpen();
      return seriesIds.map((seriesId) => {
        const found = inRange(seriesId, range, horizons.raw);
        return sampleColumns(
          seriesId,
          order === 'asc' ? found.slice(0, limit) : found.slice(Math.max(0, found.length - limit)),
        );
      });
    },
    async readBuckets({ seriesIds, resolution, timeZone = 'UTC', limit, ...range }) {
      assertOpen();
      return seriesIds.map((seriesId) => {
        const found = inRange(seriesId, range, horizonOf(resolution));
        const days = new LocalDays(timeZone, found[0]?.sourceTime ?? 0, found.at(-1)?.sourceTime ?? 0);
        const width = RESOLUTION_MICROS[resolution];
        const startOf = (time: Micros): Micros =>
          resolution === '1d' ? days.startOf(days.dayOf(time)) : Math.floor(time / width) * width;
        return bucketColumns(seriesId, buckets(found, startOf).slice(0, limit));
      });
    },
    async downsample(query) {
      assertOpen();
      const width = sliceMicros(query);
      return query.seriesIds.map((seriesId) => {
        const found = inRange(seriesId, query, horizons.raw);
        return slicePoints(
          seriesId,
          buckets(found, (time) => Math.floor(time / width) * width),
        );
      });
    },
    async latest(seriesIds = [...newest.keys()].sort((a, b) => a - b)) {
      assertOpen();
      return seriesIds.flatMap((seriesId): LatestSample[] => {
        const sample = newest.get(seriesId);
        if (sample === undefined) return [];
        const { version: _, ...rest } = sample;
        return [{ seriesId, ...rest }];
      });
    },
    async *stream({ seriesIds, ...range }) {
      for (const seriesId of seriesIds) {
        assertOpen();
        const found = inRange(seriesId, range, horizons.raw);
        for (let from = 0; from < found.length; from += PAGE_ROWS) {
          yield sampleColumns(seriesId, found.slice(from, from + PAGE_ROWS));
        }
      }
    },
    async statistics() {
      assertOpen();
      const hotRows = [...samples.values()].reduce((sum, series) => sum + series.size, 0);
      return { hotRows, sealedRows: 0, sealedBytes: 0, sealedFiles: 0, bytesByResolution: {}, damage: [] };
    },
    async maintain(now) {
      assertOpen();
      horizons.raw = horizon(now, retention.rawMs);
      horizons.hourly = horizon(now, retention.hourlyMs);
      horizons.daily = horizon(now, retention.dailyMs);
    },
    async close() {
      closed = true;
    },
  };
  return store;
}

/** The start of the first UTC day of which some part is young enough. */
function horizon(now: Micros, ageMs: number | null): Micros {
  if (ageMs === null) return -Infinity;
  return Math.floor((now - ageMs * MICROS_PER_MILLI) / MICROS_PER_DAY) * MICROS_PER_DAY;
}

function sampleAt(batch: SampleBatch, row: number): Sample {
  return {
    sourceTime: batch.sourceTime[row]!,
    receivedTime: batch.receivedTime[row]!,
    value: batch.value[row]!,
    text: batch.texts?.get(row) ?? null,
    quality: batch.quality[row]!,
    version: batch.version[row]!,
  };
}

function sampleColumns(seriesId: number, samples: readonly Sample[]): SampleColumns {
  const texts = new Map(samples.flatMap(({ text }, row) => (text === null ? [] : [[row, text] as const])));
  return {
    seriesId,
    sourceTime: Float64Array.from(samples, (sample) => sample.sourceTime),
    receivedTime: Float64Array.from(samples, (sample) => sample.receivedTime),
    value: Float64Array.from(samples, (sample) => sample.value),
    quality: Uint8Array.from(samples, (sample) => sample.quality),
    texts: texts.size === 0 ? null : texts,
  };
}

function buckets(samples: readonly Sample[], startOf: (time: Micros) => Micros): Bucket[] {
  const groups = Map.groupBy(samples, (sample) => startOf(sample.sourceTime));
  return [...groups].map(([start, group]) => bucketOf(start, group)).sort((a, b) => a.start - b.start);
}

function bucketOf(start: Micros, samples: readonly Sample[]): Bucket {
  const usable = samples.filter(({ value, quality }) => isUsable(value, quality));
  const values = usable.map(({ value }) => value);
  const minimum = values.length === 0 ? Number.NaN : values.reduce((a, b) => Math.min(a, b));
  const maximum = values.length === 0 ? Number.NaN : values.reduce((a, b) => Math.max(a, b));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const overflows = values.some((value) => Math.abs(value) >= SQUARE_MAGNITUDE_MAX);
  return {
    start,
    count: values.length,
    mean,
    squares: overflows ? Infinity : values.reduce((sum, value) => sum + (value - mean) ** 2, 0),
    minimum,
    minimumTime: usable.find(({ value }) => value === minimum)?.sourceTime ?? Number.NaN,
    maximum,
    maximumTime: usable.find(({ value }) => value === maximum)?.sourceTime ?? Number.NaN,
    first: values[0] ?? Number.NaN,
    firstTime: usable[0]?.sourceTime ?? Number.NaN,
    last: values.at(-1) ?? Number.NaN,
    lastTime: usable.at(-1)?.sourceTime ?? Number.NaN,
    good: samples.filter(({ quality }) => quality >= 192).length,
    total: samples.length,
  };
}
