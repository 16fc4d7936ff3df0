/**
 * How fast the embedded store takes samples in, how small it keeps them and how soon it answers meanwhile. Arguments (all
 * optional): seconds of paced load, rows a second, series. Prints one line of JSON per figure.
 *
 * The load is a random walk of two decimals with a sine on it, 1 s apart, received 20 to 70 ms later.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DuckDBInstance } from '@duckdb/node-api';
import { MICROS_PER_DAY, MICROS_PER_SECOND, type ReadPosition, type SampleBatch } from '@fieldline/model';
import { type DuckdbStore, openDuckdbStore } from './duckdb/open-store.ts';

const BATCH_ROWS = 20_000;
const [seconds = 15, rowsPerSecond = 400_000, seriesCount = 4000] = process.argv.slice(2).map(Number);

async function inStore(work: (store: DuckdbStore, dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(process.env.FIELDLINE_BENCH_DIR ?? tmpdir(), 'fieldline-store-bench-'));
  const store = await openDuckdbStore({ dir });
  await work(store, dir);
  await store.close();
  await rm(dir, { recursive: true, force: true });
}

/** As many durable appends as go, then sealing of what is there. */
async function flatOut(store: DuckdbStore, dir: string): Promise<void> {
  const load = new Load(seriesCount, startOfDay());
  let position = await store.acquire('telemetry.raw', 0);
  const batches = Array.from({ length: 200 }, () => load.next(50_000));
  const startMs = performance.now();
  for (const batch of batches) position = await append(store, batch, position);
  const appendMs = performance.now() - startMs;
  const rows = 200 * 50_000;
  console.log(
    JSON.stringify({ figure: 'append', rowsPerSecond: Math.round((rows / appendMs) * 1000), batchRows: 50_000 }),
  );
  await store.close();
  const openMs = performance.now();
  const again = await openDuckdbStore({ dir, sealAfterMs: 0 });
  console.log(JSON.stringify({ figure: 'open', ms: Math.round(performance.now() - openMs), hotRows: rows }));
  const [cpuBefore, sealMs] = [process.cpuUsage(), performance.now()];
  await again.maintain(Date.now() * 1000);
  const cpu = process.cpuUsage(cpuBefore);
  const took = performance.now() - sealMs;
  console.log(
    JSON.stringify({
      figure: 'seal',
      rowsPerSecond: Math.round((rows / took) * 1000),
      rowsPerCpuSecond: Math.round((rows / (cpu.user + cpu.system)) * 1e6),
    }),
  );
  await again.close();
}

/** Appends at a steady rate with a day of history behind, background work every second, and queries all the time. */
async function paced(store: DuckdbStore): Promise<void> {
  let position = await store.acquire('telemetry.raw', 0);
  const now = startOfDay() + 12 * 3600 * MICROS_PER_SECOND;
  for (const history of dayOfHistory(now)) position = await append(store, history, position);
  await store.maintain(Date.now() * 1000 + 1e9);
  const load = new Load(seriesCount, now);
  const [queries, appends]: [Record<string, number[]>, number[]] = [{}, []];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  const isOver = (): boolean => elapsedMs() > seconds * 1000;
  const asking = ask(store, now, isOver, queries);
  const timer = setInterval(() => void store.maintain(Date.now() * 1000), 1000);
  let rows = 0;
  let hotRowsMost = 0;
  while (!isOver()) {
    const aheadMs = (rows / rowsPerSecond) * 1000 - elapsedMs();
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    const batch = load.next(BATCH_ROWS);
    const beforeMs = performance.now();
    position = await append(store, batch, position);
    appends.push(performance.now() - beforeMs);
    rows += BATCH_ROWS;
    if (appends.length % 20 === 0) hotRowsMost = Math.max(hotRowsMost, (await store.statistics()).hotRows);
  }
  const cpu = process.cpuUsage(cpuBefore);
  clearInterval(timer);
  await asking;
  console.log(
    JSON.stringify({
      figure: 'paced',
      rowsPerSecond: Math.round((rows / elapsedMs()) * 1000),
      appendMs: spread(appends),
      queryMs: Object.fromEntries(Object.entries(queries).map(([name, times]) => [name, spread(times)])),
      blockedMs: { p99: Math.round(delay.percentile(99) / 1e6), max: Math.round(delay.max / 1e6) },
      cores: Number(((cpu.user + cpu.system) / 1000 / elapsedMs()).toFixed(2)),
      hotRowsMost,
      residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
      statistics: await store.statistics(),
    }),
  );
}

/** Questions of a dashboard, one after the other. */
async function ask(
  store: DuckdbStore,
  now: number,
  isOver: () => boolean,
  times: Record<string, number[]>,
): Promise<void> {
  const day = { from: now - MICROS_PER_DAY / 2, to: now + MICROS_PER_DAY / 2 };
  const hour = { from: now - 3600 * MICROS_PER_SECOND, to: now + 3600 * MICROS_PER_SECOND };
  const many = Array.from({ length: 100 }, (_, index) => index + 1);
  const questions: Record<string, (id: number) => Promise<unknown>> = {
    rawDay: (id) => store.readRaw({ seriesIds: [id], ...day, limit: 100_000 }),
    minutesDay: (id) => store.readBuckets({ seriesIds: [id], ...day, resolution: '1m', limit: 2000 }),
    downsampledDay: (id) => store.downsample({ seriesIds: [id], ...day, points: 1500 }),
    minutesHour100: () => store.readBuckets({ seriesIds: many, ...hour, resolution: '1m', limit: 200 }),
  };
  for (let round = 0; !isOver(); round += 1) {
    for (const [name, question] of Object.entries(questions)) {
      const beforeMs = performance.now();
      await question((round % 10) + 1);
      times[name] = [...(times[name] ?? []), performance.now() - beforeMs];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Half a day of 1 Hz for the first hundred series. */
function* dayOfHistory(now: number): Generator<SampleBatch> {
  const load = new Load(100, now - 43_200 * MICROS_PER_SECOND);
  for (let rows = 0; rows < 100 * 43_200; rows += 60_000) yield load.next(60_000);
}

/** Long series in one day, sealed: bytes a sample, by column. */
async function sizeOnDisk(store: DuckdbStore, dir: string): Promise<void> {
  const load = new Load(40, startOfDay());
  let position = await store.acquire('telemetry.raw', 0);
  for (let index = 0; index < 40; index += 1) position = await append(store, load.next(50_000), position);
  await store.maintain(Date.now() * 1000 + 1e9);
  const { sealedBytes, sealedRows } = await store.statistics();
  const [file] = (await readdir(join(dir, 'sealed'), { recursive: true })).filter((name) => name.endsWith('.parquet'));
  const other = await (await DuckDBInstance.create()).connect();
  const columns = await other.runAndReadAll(
    `SELECT path_in_schema, sum(total_compressed_size)::DOUBLE, sum(num_values)::DOUBLE
     FROM parquet_metadata($1) GROUP BY 1 ORDER BY 2 DESC`,
    [join(dir, 'sealed', file!)],
  );
  const byColumn = columns
    .getRows()
    .map(([name, bytes, values]) => [name, Number((Number(bytes) / Number(values)).toFixed(3))]);
  console.log(
    JSON.stringify({
      figure: 'size',
      bytesPerSample: sealedBytes / sealedRows,
      byColumn: Object.fromEntries(byColumn),
    }),
  );
  other.closeSync();
}

async function append(store: DuckdbStore, batch: SampleBatch, position: ReadPosition): Promise<ReadPosition> {
  const next = { ...position, next: position.next + 1 };
  await store.append(batch, next);
  return next;
}

function spread(times: number[]): object {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1));
  return { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length };
}

function startOfDay(): number {
  return Math.floor((Date.now() * 1000) / MICROS_PER_DAY) * MICROS_PER_DAY;
}

/** All series in turn, a second later each round. */
class Load {
  readonly #walk: Float64Array;
  readonly #from: number;
  #row = 0;

  constructor(series: number, from: number) {
    this.#walk = new Float64Array(series).map(() => Math.random() * 100);
    this.#from = from;
  }

  next(count: number): SampleBatch {
    const series = this.#walk.length;
    const batch = {
      count,
      seriesId: new Int32Array(count),
      sourceTime: new Float64Array(count),
      receivedTime: new Float64Array(count),
      value: new Float64Array(count),
      quality: new Uint8Array(count).fill(192),
      version: new Float64Array(count),
      texts: null,
    };
    for (let index = 0; index < count; index += 1, this.#row += 1) {
      const slot = this.#row % series;
      const time = this.#from + Math.floor(this.#row / series) * MICROS_PER_SECOND;
      this.#walk[slot]! += Math.random() - 0.5;
      batch.seriesId[index] = slot + 1;
      batch.sourceTime[index] = time;
      batch.receivedTime[index] = time + (20 + Math.floor(Math.random() * 50)) * 1000;
      batch.value[index] = Math.round((this.#walk[slot]! + 10 * Math.sin(time / 1e8)) * 100) / 100;
      batch.version[index] = Math.floor(this.#row / 10);
    }
    return batch;
  }
}

console.log(JSON.stringify({ cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }));
await inStore(flatOut);
await inStore(paced);
await inStore(sizeOnDisk);
