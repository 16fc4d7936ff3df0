/**
 * The embedded catalog: PostgreSQL 18 (PGlite) in a worker thread, reached by the same driver as a server, over a stream
 * instead of a socket. One session, so transactions run one after the other. The session starts as the superuser, brings the
 * schema up to date and then becomes the ordinary role fieldline_app; only housekeeping goes back for a moment.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FieldlineError, type Logger, messageOf, silentLogger, systemClock } from '@fieldline/kit';
import pg from 'pg';
import { copiesOf } from '../copies/copy-file.ts';
import { CopyKeeper } from '../copies/copy-keeper.ts';
import type { Ask } from '../copies/take-copy.ts';
import { CHANNEL, type Database, type Door, pingWith, type Queries, runTransaction } from '../database/database.ts';
import { translateError } from '../database/errors.ts';
import { migrate } from '../database/migrate.ts';
import { lockFolder } from './folder-lock.ts';
import { compareSums, dropSums, writeSums } from './sums.ts';
import type { PgliteWorkerData, PgliteWorkerMessage } from './worker.ts';
import { WorkerSocket } from './worker-socket.ts';
import { inspectWriteAheadLog } from './write-ahead-log.ts';

export interface PgliteOptions {
  /** Folder of the database, made where it is missing; null = in memory (for tests). */
  readonly dataDir: string | null;
  /** Transactions that wait for their turn; the one beyond is refused with OVERLOADED. Default 10,000. */
  readonly waitingMax?: number;
  /** How often changes are flushed into the tables' files (CHECKPOINT) and dead rows are removed (VACUUM). Default 5 min. */
  readonly housekeepingIntervalMs?: number;
  /** From a change to the copy that is kept of what is configured (ADR 11). Default 2 s. */
  readonly copyAfterMs?: number;
  readonly logger?: Logger;
}

const POSTGRES_MAJOR = 18;
const REMEDY =
  'stop the server and look with `fieldline doctor`; `fieldline doctor --repair` restores the catalog from its newest copy, or restore the data folder from a backup';
const LOGIN = `
  do $$ begin
    if not exists (select from pg_roles where rolname = 'fieldline_app') then
      create role fieldline_app nologin noinherit;
    end if;
  end $$;
  grant fieldline_tenant, fieldline_system to fieldline_app;
`;

export async function openPglite(options: PgliteOptions): Promise<PgliteDatabase> {
  const { dataDir } = options;
  if (dataDir !== null) mkdirSync(dirname(dataDir), { recursive: true });
  const unlock = dataDir === null ? () => {} : lockFolder(dataDir);
  let worker: Worker | null = null;
  try {
    if (dataDir !== null) {
      await prepareFolder(dataDir);
      await requireUnchanged(dataDir, options.logger ?? silentLogger);
      await requireWholeLog(dataDir, options.logger ?? silentLogger);
    }
    const fsyncCount = new SharedArrayBuffer(4);
    worker = await startWorker({ dataDir, fsyncCount });
    const client = await connect(worker);
    return new PgliteDatabase({ worker, client, unlock, fsyncCount: new Int32Array(fsyncCount), options });
  } catch (error) {
    await worker?.terminate();
    unlock();
    throw unopened(dataDir, translateError(error));
  }
}

/**
 * A database that was closed cleanly must be what it was then. Pages of tables and indexes are checked by PostgreSQL when it
 * reads them, so one that is damaged does not keep the rest from work; any other change is refused (CATALOG_DAMAGED).
 */
async function requireUnchanged(dataDir: string, logger: Logger): Promise<void> {
  for (const { path, meaning, isChecked } of (await compareSums(dataDir)) ?? []) {
    const file = path === '' ? `${dataDir}.sums` : join(dataDir, path);
    const sentence = `catalog: ${file} is damaged (${meaning}); ${REMEDY}`;
    if (!isChecked) throw new FieldlineError('CATALOG_DAMAGED', sentence, { details: { file } });
    logger.error({ file }, sentence);
  }
  await dropSums(dataDir);
}

/** A write-ahead log that ends before what was flushed would bring the database back without changes that were acknowledged. */
async function requireWholeLog(dataDir: string, logger: Logger): Promise<void> {
  const end = await inspectWriteAheadLog(dataDir);
  if (end === null || end.isLoss === false) return;
  const { file, place, meaning, isLoss } = end;
  const sentence = `catalog: ${file}, ${place}: ${meaning}; ${REMEDY}`;
  if (isLoss) throw new FieldlineError('CATALOG_DAMAGED', sentence, { details: { file } });
  logger.error({ file }, sentence);
}

/** What PGlite says of damaged files means nothing to a person. */
function unopened(dataDir: string | null, error: FieldlineError): FieldlineError {
  if (error.code !== 'INTERNAL' || dataDir === null) return error;
  const sentence = `catalog: ${dataDir} cannot be opened (${error.message}); where another start does not help, ${REMEDY}`;
  return new FieldlineError('INTERNAL', sentence, { cause: error });
}

interface Parts {
  readonly worker: Worker;
  readonly client: pg.Client;
  readonly unlock: () => void;
  readonly fsyncCount: Int32Array;
  readonly options: PgliteOptions;
}

export class PgliteDatabase implements Database {
  /** Notifications come with the answers of the one session: none can be missed. */
  readonly pollIntervalMs = null;
  readonly #parts: Parts;
  readonly #waitingMax: number;
  readonly #timer: NodeJS.Timeout;
  readonly #copies: CopyKeeper | null;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing: Promise<void> | null = null;
  #failure: string | null = null;
  #flushedLsn = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#waitingMax = parts.options.waitingMax ?? 10_000;
    parts.client.on('error', (error) => {
      this.#failure ??= messageOf(error);
    });
    parts.client.on('end', () => {
      this.#failure ??= 'the thread of the database has ended';
    });
    this.#timer = setInterval(() => this.#keepHouse(), parts.options.housekeepingIntervalMs ?? 300_000);
    this.#timer.unref();
    const { dataDir, copyAfterMs, logger = silentLogger } = parts.options;
    this.#copies =
      dataDir === null
        ? null
        : new CopyKeeper({
            folder: copiesOf(dataDir),
            inTurn: (work) => this.#queue(() => this.#asSuperuser(work)),
            clock: systemClock,
            logger,
            ...(copyAfterMs !== undefined && { lookAfterMs: copyAfterMs }),
          });
    // The last run may have been cut off before its copy.
    this.#copies?.note();
  }

  /** fsyncs that were made so far. */
  get fsyncCount(): number {
    return Atomics.load(this.#parts.fsyncCount, 0);
  }

  async transaction<T>(door: Door, work: (queries: Queries) => Promise<T>): Promise<T> {
    const result = await this.#inTurn(() => runTransaction(this.#parts.client, door, work));
    this.#copies?.note();
    return result;
  }

  onNotification(listener: (payload: string | null) => void): void {
    this.#parts.client.on('notification', (message) => listener(message.payload ?? ''));
  }

  ping(): Promise<void> {
    return pingWith(() => this.#inTurn(() => this.#parts.client.query('select 1')));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * A single session has neither checkpointer nor autovacuum: without this the write-ahead log would grow until the next
   * clean stop, and the tables with every change.
   */
  async keepHouse(): Promise<void> {
    await this.asSuperuser('checkpoint');
    await this.asSuperuser('select pg_stat_force_next_flush()');
    const tables = await this.asSuperuser(
      "select format('%I.%I', schemaname, relname) as name from pg_stat_all_tables where n_dead_tup > 500 or n_mod_since_analyze > 500",
    );
    // One table at a time, so that others get their turn in between.
    for (const { name } of tables) await this.asSuperuser(`vacuum (analyze) ${name}`);
  }

  /** Past all doors: for housekeeping, and for tests. */
  asSuperuser(statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return this.#inTurn(() => this.#asSuperuser((ask) => ask(statement, values)));
  }

  /** Ends the thread as a fault would. For tests. */
  async endThread(): Promise<void> {
    await this.#parts.worker.terminate();
  }

  async #asSuperuser<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    const { client } = this.#parts;
    await client.query('set session authorization postgres');
    try {
      return await work(async (statement, values = []) => (await client.query(statement, values)).rows);
    } finally {
      await client.query('set session authorization fieldline_app');
    }
  }

  async #keepHouse(): Promise<void> {
    try {
      if ((await this.#writtenUpTo()) === this.#flushedLsn) return;
      await this.keepHouse();
      this.#flushedLsn = await this.#writtenUpTo();
    } catch (error) {
      const { logger = silentLogger } = this.#parts.options;
      if (this.#closing === null) logger.warn({ error: messageOf(error) }, 'catalog: housekeeping failed');
    }
  }

  async #writtenUpTo(): Promise<string> {
    const [row] = await this.asSuperuser('select pg_current_wal_lsn()::text as lsn');
    return String(row!.lsn);
  }

  /** One after the other, in the order of the calls. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw new FieldlineError('STOPPED', 'the catalog has been closed');
    return this.#queue(work);
  }

  async #queue<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) {
      throw new FieldlineError(
        'OVERLOADED',
        `catalog: ${this.#waitingMax} transactions are waiting already; try later`,
      );
    }
    this.#waiting += 1;
    const result = this.#tail.then(() => {
      if (this.#failure !== null) throw new FieldlineError('UNAVAILABLE', `catalog: ${this.#failure}`);
      return work();
    });
    this.#tail = result.catch(() => {
      // Told to its caller; the next one gets its turn all the same.
    });
    try {
      return await result;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #noteSums(): Promise<void> {
    const { dataDir, logger = silentLogger } = this.#parts.options;
    if (dataDir === null) return;
    try {
      await writeSums(dataDir);
    } catch (error) {
      // The database is whole all the same; the next start checks less.
      logger.warn({ error: messageOf(error) }, 'catalog: the checksums of its files could not be written');
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#tail;
    const { worker, client, unlock } = this.#parts;
    if (this.#failure === null) {
      await this.#copies?.close();
      const exited = once(worker, 'exit');
      await client.end();
      worker.postMessage(null);
      await exited;
      await this.#noteSums();
    } else {
      await worker.terminate();
    }
    unlock();
  }
}

/**
 * Makes the database where there is none, in a child process; refuses one of another PostgreSQL version. openPglite() does it
 * too; called before, other parts that start beside the catalog find it whole.
 */
export async function preparePgliteFolder(dataDir: string): Promise<void> {
  mkdirSync(dirname(dataDir), { recursive: true });
  const unlock = lockFolder(dataDir);
  try {
    await prepareFolder(dataDir);
  } finally {
    unlock();
  }
}

async function prepareFolder(dataDir: string): Promise<void> {
  const versionFile = join(dataDir, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const major = Number(readFileSync(versionFile, 'utf8'));
    if (major === POSTGRES_MAJOR) return;
    throw new FieldlineError(
      major > POSTGRES_MAJOR ? 'FORMAT_TOO_NEW' : 'CONFIG_INVALID',
      `catalog: ${dataDir} was made by PostgreSQL ${major}, this is ${POSTGRES_MAJOR}; start the version that made it, or restore a backup`,
    );
  }
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new FieldlineError(
      'UNAVAILABLE',
      `catalog: ${dataDir} holds files but no PG_VERSION, so it is damaged; restore it from a backup`,
    );
  }
  const child = fork(fileURLToPath(new URL('initialize.ts', import.meta.url)), [dataDir], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0) {
    throw new FieldlineError(
      'UNAVAILABLE',
      `catalog: ${dataDir} could not be made (exit ${code}): ${complaint.trim()}`,
    );
  }
}

async function startWorker(workerData: PgliteWorkerData): Promise<Worker> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData, name: 'catalog' });
  const settled = new AbortController();
  const { signal } = settled;
  try {
    const [message] = (await Promise.race([
      once(worker, 'message', { signal }),
      once(worker, 'exit', { signal }).then(([code]) => [
        { failure: `the thread of the database has ended (${code})` },
      ]),
    ])) as [PgliteWorkerMessage];
    if ('failure' in message) throw new Error(message.failure);
    return worker;
  } finally {
    settled.abort();
  }
}

async function connect(worker: Worker): Promise<pg.Client> {
  const client = new pg.Client({
    user: 'postgres',
    database: 'postgres',
    stream: () => new WorkerSocket(worker) as never,
  });
  client.on('error', () => {
    // The query that is under way, or the next one, fails with it and tells.
  });
  await client.connect();
  await migrate(client);
  await client.query(LOGIN);
  await client.query(`listen ${CHANNEL}`);
  await client.query('set session authorization fieldline_app');
  return client;
}
