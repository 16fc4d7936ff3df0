/**
 * The embedded store on DuckDB: hot rows in tables, sealed ones in Parquet files, roll-ups beside them. This file opens it
 * and joins its parts; the way of a sample is append-batch.ts → seal.ts → compact.ts → roll-up.ts → retention.ts, the way
 * of a question read-raw.ts or read-buckets.ts.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  FieldlineError,
  type Logger,
  type Metrics,
  messageOf,
  silentLogger,
  systemClock,
} from '@fieldline/kit';
import type { RetentionSettings, SampleColumns, StoreStatistics, TelemetryStore, TimeRange } from '../store.ts';
import { acquirePosition, appendBatch, createGeneration } from './append-batch.ts';
import { checkBlocks, type Misplaced, writeBlockList } from './block-list.ts';
import { Cells } from './cells.ts';
import { checksumOf, definedSeries, defineSeries } from './define-series.ts';
import { HotAppender } from './hot-appender.ts';
import { LatestSamples } from './latest-samples.ts';
import { Layout, LayoutKeeper } from './layout.ts';
import { clearLeftovers } from './leftovers.ts';
import { maintainOnce } from './maintain.ts';
import { loadCells, loadLatest, loadNumbers, openFiles, openGenerations, refuseForeignFiles } from './open-state.ts';
import { downsample, readBuckets } from './read-buckets.ts';
import { checkedSeries, readRaw } from './read-raw.ts';
import { migrate } from './schema.ts';
import { Serial } from './serial.ts';
import { DATABASE_FILE, Session, storeError } from './session.ts';
import type { StoreSettings, StoreState } from './state.ts';
import { cutTornEnd } from './torn-log.ts';
import { clearDamage, damageOf, markDamaged } from './verify-files.ts';

export interface DuckdbStoreOptions {
  /** Folder of its own; it is made where it is not there. */
  readonly dir: string;
  /** Memory for DuckDB's buffers; what is over goes to `<dir>/spill`. Default 512 MiB. */
  readonly memoryLimitBytes?: number;
  /** Default 2. */
  readonly threads?: number;
  /** Queries that run at the same time; each takes a thread of libuv's pool. Default 2. */
  readonly readConnections?: number;
  /** Age at which hot rows are sealed. Default 5 minutes. */
  readonly sealAfterMs?: number;
  /** Hot rows at which they are sealed earlier. When sealing does not keep up, append waits at three times as many. Default 5,000,000. */
  readonly sealRowsMax?: number;
  /** Rows that are sorted at a time; also about what a file holds. Default 2,500,000. */
  readonly sliceRows?: number;
  /** How long a day that is over must have been quiet before its files are merged. Default 1 hour. */
  readonly compactAfterMs?: number;
  /** Rows that are merged in one job at most; a day with more stays in several files. Default 64,000,000. */
  readonly compactRowsMax?: number;
  /** How long after its end an hour is rolled up. Default 5 minutes. */
  readonly rollUpAfterMs?: number;
  /** Rows, about, that are rolled up in one transaction. Default 20,000,000. */
  readonly rollUpRowsMax?: number;
  /** Default raw 90 days, hourly 2 years, daily 5 years. */
  readonly retention?: RetentionSettings;
  /** A day of samples is not deleted while new files come for it: how long it must have been quiet. Default 1 day. */
  readonly retentionGraceMs?: number;
  /** Bytes of sealed files whose checksum is looked at in each round. Default 16 MiB. */
  readonly verifyBytesPerRound?: number;
  /** Samples of a question that are kept between two looks at them, about 29 bytes each; more are scanned twice. Default 4,000,000. */
  readonly keptRowsMax?: number;
  /** Size of the write-ahead log at which a round ends with a checkpoint. Default 64 MiB. */
  readonly walBytesMax?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/** The store with what only this adapter can tell. */
export interface DuckdbStore extends TelemetryStore {
  /** Checks every sealed file against its checksum; tells what is wrong, in words. A file that was restored is taken back. */
  verify(): Promise<readonly string[]>;
  /** What hinders the store, in words; null where nothing does. For health. */
  problem(): string | null;
}

const DAY_MS = 86_400_000;
/** Rows in a page of stream(). */
const PAGE_ROWS = 50_000;
/** Generations that wait to be sealed; append waits for sealing beyond. */
const CLOSED_GENERATIONS_MAX = 2;

/**
 * Opens the store, repairs what an interrupted round left, and reads what memory must know. One process at a time: the
 * caller holds the data folder's lock. FORMAT_TOO_NEW where a newer program wrote it.
 */
export async function openDuckdbStore(options: DuckdbStoreOptions): Promise<DuckdbStore> {
  const isListed = await refuseMisplacedBlocks(join(options.dir, DATABASE_FILE));
  const session = await openSession(options).catch((error: unknown) => {
    throw unopened(options.dir, error);
  });
  try {
    await migrate(session.writer);
    if (!isListed) {
      await writeBlockList(join(options.dir, DATABASE_FILE), session.writer).catch((error: unknown) => {
        options.logger?.warn({ error: messageOf(error) }, 'the list of the database’s blocks could not be written');
      });
    }
    const state = await openState(session, options);
    return new OpenStore(state, options);
  } catch (error) {
    session.close();
    throw unopened(options.dir, error);
  }
}

async function openSession(options: DuckdbStoreOptions): Promise<Session> {
  const { dir, memoryLimitBytes = 512 * 1024 * 1024, threads = 2, readConnections = 2 } = options;
  try {
    return await Session.open({ dir, memoryLimitBytes, threads, readConnections });
  } catch (error) {
    const torn = await cutTornEnd(join(dir, 'store.duckdb.wal'), error);
    if (torn === null) throw error;
    const sentence =
      'the last write to the telemetry store was torn by a power cut; it is left out and comes again from the log';
    options.logger?.warn({ ...torn }, sentence);
    return Session.open({ dir, memoryLimitBytes, threads, readConnections });
  }
}

/** DuckDB would read them as if they were in their place, and answer with another value. True where all were compared with a list. */
async function refuseMisplacedBlocks(path: string): Promise<boolean> {
  const check = await checkBlocks(path);
  if (typeof check === 'string') return false;
  if (check.length === 0) return true;
  const [{ place, meaning }] = check as [Misplaced];
  throw new FieldlineError(
    'STORE_DAMAGED',
    `${path}, ${place}: ${meaning} (${check.length} such places); stop the server and run \`fieldline doctor --repair\`, or restore the store from a backup`,
  );
}

function unopened(dir: string, error: unknown): FieldlineError {
  const known = storeError(`opening the telemetry store in ${dir}`, error);
  if (known.code !== 'UNAVAILABLE') return known;
  return new FieldlineError(
    'UNAVAILABLE',
    `${known.message}; where that does not help, stop and run \`fieldline doctor --repair\`, or restore ${dir} from a backup`,
    {
      cause: error,
    },
  );
}

function settingsOf(options: DuckdbStoreOptions): StoreSettings {
  return {
    sealAfterMs: options.sealAfterMs ?? 300_000,
    sealRowsMax: options.sealRowsMax ?? 5_000_000,
    sliceRows: options.sliceRows ?? 2_500_000,
    compactAfterMs: options.compactAfterMs ?? 3_600_000,
    compactRowsMax: options.compactRowsMax ?? 64_000_000,
    rollUpAfterMs: options.rollUpAfterMs ?? 300_000,
    rollUpRowsMax: options.rollUpRowsMax ?? 20_000_000,
    retention: options.retention ?? { rawMs: 90 * DAY_MS, hourlyMs: 730 * DAY_MS, dailyMs: 1826 * DAY_MS },
    retentionGraceMs: options.retentionGraceMs ?? DAY_MS,
    verifyBytesPerRound: options.verifyBytesPerRound ?? 16 * 1024 * 1024,
    keptRowsMax: options.keptRowsMax ?? 4_000_000,
    walBytesMax: options.walBytesMax ?? 64 * 1024 * 1024,
  };
}

async function openState(session: Session, options: DuckdbStoreOptions): Promise<StoreState> {
  const { writer } = session;
  const sealedDir = join(options.dir, 'sealed');
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const files = await openFiles(writer, sealedDir);
  for (const { damage, path } of files) if (damage !== null) logger.error({ code: 'STORE_DAMAGED', path }, damage);
  const positions = await (await writer.run('SELECT topic, partition, epoch, next FROM positions')).getRows();
  if (positions.length === 0 && files.length === 0) await refuseForeignFiles(sealedDir);
  // Where a listed file is gone, one that nobody lists may be what it was merged into: it is kept for whoever looks.
  if (files.every(({ damage }) => damage === null)) {
    await clearLeftovers(writer, options.dir, files, new Date(clock.nowMicros() / 1000), logger);
  }
  const generations = await openGenerations(writer);
  if (generations.length === 0) {
    const id = files.reduce((most, file) => Math.max(most, file.generation), 0) + 1;
    generations.push(await createGeneration(writer, id, clock.nowMicros(), false));
  }
  const latest = new LatestSamples();
  await loadLatest(writer, generations, latest);
  const late = new Cells();
  const stale = new Cells();
  await loadCells(writer, generations, late, stale);
  const series = await (await writer.run('SELECT * FROM series')).getRows();
  return {
    session,
    writes: new Serial(),
    sealedDir,
    layout: new LayoutKeeper(new Layout(generations, files)),
    latest,
    late,
    rollUps: {
      rolled: new Set(await loadNumbers(writer, 'hour', 'rolled_hours')),
      stale,
      rolling: new Set(),
      progress: null,
      appends: 0,
      droppedDays: new Set(await loadNumbers(writer, 'day', 'dropped_days')),
      hoursDroppedBefore: (await loadNumbers(writer, 'day', 'hours_dropped_before'))[0] ?? -Infinity,
    },
    organizations: new Map(series.map(([id, organization]) => [Number(id), String(organization)])),
    seriesChecksums: new Map(series.map((columns) => [Number(columns[0]), checksumOf(columns)])),
    seriesChanged: new Set(series.map(([, organization]) => String(organization))),
    positions: new Map(
      positions.map(([topic, partition, epoch, next]) => [
        `${topic}/${partition}`,
        { epoch: Number(epoch), next: Number(next) },
      ]),
    ),
    compaction: null,
    nextGenerationId: generations.at(-1)!.id + 1,
    nextFileId: files.reduce((most, file) => Math.max(most, file.id), 0) + 1,
    sound: new WeakSet(),
    lastCheckedFile: 0,
    appender: await HotAppender.open(writer, generations.at(-1)!),
    settings: settingsOf(options),
    logger,
    clock,
  };
}

/** A round is many queries, and an interrupt ends the one that runs. */
const INTERRUPT_INTERVAL_MS = 50;

class OpenStore implements DuckdbStore {
  readonly supports = { manyProcesses: false, persistent: true, openFiles: true };
  readonly #state: StoreState;
  readonly #databasePath: string;
  #maintaining: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  /** What went wrong in the last round of background work. */
  #failure: string | null = null;

  constructor(state: StoreState, options: DuckdbStoreOptions) {
    this.#state = state;
    this.#databasePath = join(options.dir, DATABASE_FILE);
    options.metrics?.gauge('fieldline_store_hot_rows', 'Samples not yet sealed', [], (gauge) =>
      gauge.set(this.#hotRows()),
    );
    options.metrics?.gauge('fieldline_store_sealed_files', 'Sealed Parquet files', [], (gauge) =>
      gauge.set(state.layout.current.files.length),
    );
    options.metrics?.gauge('fieldline_store_damaged_files', 'Sealed files that are missing or damaged', [], (gauge) =>
      gauge.set(this.#damage().length),
    );
  }

  async defineSeries(series: Parameters<TelemetryStore['defineSeries']>[0]): Promise<void> {
    await this.#write(() => defineSeries(this.#state, series));
  }

  definedSeries(): ReturnType<TelemetryStore['definedSeries']> {
    return this.#write(() => definedSeries(this.#state));
  }

  acquire(topic: string, partition: number): ReturnType<TelemetryStore['acquire']> {
    return this.#write(() => acquirePosition(this.#state, topic, partition));
  }

  async append(...[batch, position]: Parameters<TelemetryStore['append']>): Promise<void> {
    this.#assertOpen();
    const { generations, openGeneration } = this.#state.layout.current;
    const isFull = openGeneration.rowCount >= this.#state.settings.sealRowsMax;
    if (isFull && generations.length > CLOSED_GENERATIONS_MAX) await this.maintain(this.#state.clock.nowMicros());
    await this.#write(() => appendBatch(this.#state, batch, position));
  }

  readRaw(query: Parameters<TelemetryStore['readRaw']>[0]): Promise<SampleColumns[]> {
    return this.#read(() => readRaw(this.#state, query));
  }

  readBuckets(query: Parameters<TelemetryStore['readBuckets']>[0]): ReturnType<TelemetryStore['readBuckets']> {
    return this.#read(() => readBuckets(this.#state, query));
  }

  downsample(query: Parameters<TelemetryStore['downsample']>[0]): Promise<SampleColumns[]> {
    return this.#read(() => downsample(this.#state, query));
  }

  latest(seriesIds?: readonly number[]): ReturnType<TelemetryStore['latest']> {
    return this.#read(async () => this.#state.latest.get(seriesIds));
  }

  async *stream({ seriesIds, from, to }: TimeRange & { seriesIds: readonly number[] }): AsyncGenerator<SampleColumns> {
    for (const seriesId of checkedSeries(seriesIds)) {
      let next = from;
      while (next < to) {
        const [page] = await this.readRaw({ seriesIds: [seriesId], from: next, to, limit: PAGE_ROWS });
        const count = page!.sourceTime.length;
        if (count === 0) break;
        yield page!;
        if (count < PAGE_ROWS) break;
        next = page!.sourceTime[count - 1]! + 1;
      }
    }
  }

  async statistics(): Promise<StoreStatistics> {
    this.#assertOpen();
    const { files } = this.#state.layout.current;
    const sealedBytes = files.reduce((sum, file) => sum + file.byteLength, 0);
    const { size } = await stat(this.#databasePath).catch(() => ({ size: 0 }));
    return {
      hotRows: this.#hotRows(),
      sealedRows: files.reduce((sum, file) => sum + file.rowCount, 0),
      sealedBytes,
      sealedFiles: files.length,
      bytesByResolution: { raw: sealedBytes, database: size },
      damage: this.#damage(),
    };
  }

  maintain(now: number): Promise<void> {
    this.#assertOpen();
    this.#maintaining ??= this.#maintain(now).finally(() => {
      this.#maintaining = null;
    });
    return this.#maintaining;
  }

  async verify(): Promise<readonly string[]> {
    this.#assertOpen();
    for (const file of this.#state.layout.current.files) {
      const damage = await damageOf(this.#state.sealedDir, file);
      if (damage === null && file.damage !== null) await clearDamage(this.#state, file);
      if (damage !== null && file.damage === null) await markDamaged(this.#state, file, damage);
    }
    return this.#damage();
  }

  problem(): string | null {
    return this.#damage()[0] ?? this.#failure;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #maintain(now: number): Promise<void> {
    try {
      await maintainOnce(this.#state, now, this.#databasePath, () => this.#closing !== null);
      this.#failure = null;
    } catch (error) {
      const failure = storeError('background work of the telemetry store', error);
      this.#failure = failure.message;
      throw failure;
    }
  }

  async #close(): Promise<void> {
    // Background work may take minutes; broken off it is begun again after the next start, as after a crash.
    const { background } = this.#state.session;
    const interrupting = setInterval(() => background.interrupt(), INTERRUPT_INTERVAL_MS);
    background.interrupt();
    await this.#maintaining?.catch(() => {}); // whoever called maintain() has the error
    clearInterval(interrupting);
    await this.#state.writes.run(async () => {
      this.#state.appender.close();
      await this.#checkpointAtEnd();
    });
    this.#state.session.close();
  }

  /** DuckDB makes one when it is closed; here the list of blocks follows it. */
  async #checkpointAtEnd(): Promise<void> {
    const { session, logger } = this.#state;
    try {
      await session.checkpoint();
      await writeBlockList(this.#databasePath, session.writer);
    } catch (error) {
      // The write-ahead log stays, and is read again at the next start.
      logger.warn({ error: messageOf(error) }, 'the telemetry store was closed without a checkpoint');
    }
  }

  #hotRows(): number {
    return this.#state.layout.current.generations.reduce((sum, generation) => sum + generation.rowCount, 0);
  }

  #damage(): string[] {
    return this.#state.layout.current.files.flatMap(({ damage }) => (damage === null ? [] : [damage]));
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    return this.#state.writes.run(async () => {
      const result = await work();
      await this.#state.session.keepLogName().catch((error: unknown) => {
        // The commit stands; the next write tries again, and nothing is deleted before.
        this.#state.logger.warn({ error: messageOf(error) }, 'the folder of the telemetry store cannot be flushed');
      });
      return result;
    });
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await work();
    } catch (error) {
      throw storeError('reading telemetry', error);
    }
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new FieldlineError('STOPPED', 'the telemetry store is closed');
  }
}
