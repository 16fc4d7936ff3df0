/**
 * A year of data and a large log, quickly: written into the folder of a stopped server through the ports of log and store, as
 * its own parts would. What is in the log counts as stored, so that the next start opens it and has nothing to catch up.
 */
import { join } from 'node:path';
import { DEFAULT_TOPIC_SETTINGS, openEmbeddedLog } from '@fieldline/log';
import {
  MICROS_PER_DAY,
  type Micros,
  type Origin,
  QUALITY_GOOD,
  RawBatchBuilder,
  type SampleBatch,
} from '@fieldline/model';
import { type DuckdbStore, openDuckdbStore } from '@fieldline/store';

export interface YearOptions {
  readonly dataDir: string;
  /** Whose samples they are; the series are those that the store knows already. */
  readonly origin: Origin;
  readonly logBytes: number;
  readonly days: number;
  /** Per series. */
  readonly samplesPerDay: number;
  /** The end of the last day. */
  readonly until: Micros;
}

const RECORDS_PER_BATCH = 5_000;
const DAYS_PER_BATCH = 4;
const RECORD = Buffer.from(
  JSON.stringify({
    ts: 1_700_000_000_000,
    metrics: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`m${n}`, n + 0.25])),
  }),
);

/** Returns how many samples were written. */
export async function writeYear(options: YearOptions): Promise<number> {
  const logEnd = await fillLog(options);
  const store = await openDuckdbStore({
    dir: join(options.dataDir, 'store'),
    sealAfterMs: 1,
    retention: { rawMs: null, hourlyMs: null, dailyMs: null },
  });
  try {
    return await fillStore(store, options, logEnd);
  } finally {
    await store.close();
  }
}

async function fillLog({ dataDir, origin, logBytes }: YearOptions): Promise<number> {
  const log = await openEmbeddedLog({ dir: join(dataDir, 'log'), topics: DEFAULT_TOPIC_SETTINGS });
  const builder = new RawBatchBuilder(RECORDS_PER_BATCH, RECORDS_PER_BATCH * RECORD.length);
  for (let bytes = 0; bytes < logBytes; bytes += RECORDS_PER_BATCH * RECORD.length) {
    const receivedTime = Date.now() * 1000;
    for (let count = 0; count < RECORDS_PER_BATCH; count += 1) builder.add(origin, receivedTime, RECORD);
    await log.append('telemetry.raw', builder.take());
  }
  const [bounds] = await log.bounds('telemetry.raw');
  await log.close();
  return bounds!.next;
}

async function fillStore(store: DuckdbStore, options: YearOptions, logEnd: number): Promise<number> {
  const { days, until } = options;
  const seriesIds = (await store.latest()).map(({ seriesId }) => seriesId);
  const acquired = await store.acquire('telemetry.raw', 0);
  let written = 0;
  for (let day = 0; day < days; day += DAYS_PER_BATCH) {
    const batch = batchOf(seriesIds, until - (days - day) * MICROS_PER_DAY, options);
    written += batch.count;
    // Each commit moves the position on; the last one stands at the end of the log.
    await store.append(batch, { ...acquired, next: logEnd - Math.ceil((days - day) / DAYS_PER_BATCH) + 1 });
    if (day % (DAYS_PER_BATCH * 8) === 0) await store.maintain(Date.now() * 1000);
  }
  await store.maintain(Date.now() * 1000);
  return written;
}

/** A slow wave with two decimals, all series at the same times. */
function batchOf(seriesIds: readonly number[], from: Micros, { samplesPerDay }: YearOptions): SampleBatch {
  const perSeries = samplesPerDay * DAYS_PER_BATCH;
  const count = perSeries * seriesIds.length;
  const step = Math.floor(MICROS_PER_DAY / samplesPerDay);
  const sourceTime = Float64Array.from({ length: count }, (_, row) => from + (row % perSeries) * step);
  return {
    count,
    seriesId: Int32Array.from({ length: count }, (_, row) => seriesIds[Math.floor(row / perSeries)]!),
    sourceTime,
    receivedTime: sourceTime,
    value: Float64Array.from({ length: count }, (_, row) => Math.round(2000 * Math.sin(row / 300)) / 100),
    quality: new Uint8Array(count).fill(QUALITY_GOOD),
    version: new Float64Array(count).fill(1),
    texts: null,
  };
}
