/**
 * The first half of opening the embedded catalog: the folder's lock, what must be whole before PostgreSQL may have it, and the
 * thread that PGlite lives in. It imports little, so that a start can begin here while the driver and the queries are still read.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FieldlineError, type Logger, messageOf, silentLogger } from '@fieldline/kit';
import { copiesOf, listCopies } from '../copies/copy-file.ts';
import { lockFolder } from './folder-lock.ts';
import { compareSums, dropSums } from './sums.ts';
import type { PgliteWorkerData, PgliteWorkerMessage } from './worker.ts';
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

/** A database whose thread answers; nobody has spoken to it yet. */
export interface StartedPglite {
  readonly worker: Worker;
  readonly unlock: () => void;
  /** One number: how many fsyncs were made. */
  readonly fsyncCount: Int32Array;
}

const POSTGRES_MAJOR = 18;
const REMEDY =
  'stop the server and look with `fieldline doctor`; `fieldline doctor --repair` restores the catalog from its newest copy, or restore the data folder from a backup';

/** Throws DATA_DIR_LOCKED, FORMAT_TOO_NEW, CATALOG_DAMAGED or UNAVAILABLE, each with what to do. */
export async function startPglite(options: PgliteOptions): Promise<StartedPglite> {
  const { dataDir, logger = silentLogger } = options;
  if (dataDir !== null) mkdirSync(dirname(dataDir), { recursive: true });
  const unlock = dataDir === null ? () => {} : lockFolder(dataDir);
  try {
    if (dataDir !== null) {
      await prepareFolder(dataDir);
      await requireUnchanged(dataDir, logger);
      await requireWholeLog(dataDir, logger);
    }
    const fsyncCount = new SharedArrayBuffer(4);
    return { worker: await startWorker({ dataDir, fsyncCount }), unlock, fsyncCount: new Int32Array(fsyncCount) };
  } catch (error) {
    unlock();
    throw unopened(dataDir, error);
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
export function unopened(dataDir: string | null, error: unknown): unknown {
  if ((error instanceof FieldlineError && error.code !== 'INTERNAL') || dataDir === null) return error;
  const sentence = `catalog: ${dataDir} cannot be opened (${messageOf(error)}); where another start does not help, ${REMEDY}`;
  return new FieldlineError('INTERNAL', sentence, { cause: error });
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
  if ((await listCopies(copiesOf(dataDir))).length > 0) {
    throw new FieldlineError(
      'CATALOG_DAMAGED',
      `catalog: ${dataDir} is missing or empty, and there are copies of it in ${copiesOf(dataDir)}, so it is not a new one; where it is a volume, mount it; else ${REMEDY}`,
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
