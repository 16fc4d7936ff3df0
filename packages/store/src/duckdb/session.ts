/**
 * One DuckDB database and its connections: one that appends, one for background work, a few that read. Opened with explicit
 * limits, confined to the folder of sealed files and then locked, so that no query can reach another file or lift a limit.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { FieldlineError, makeDirectorySync, messageOf, syncDirectory } from '@fieldline/kit';

export interface SessionOptions {
  readonly dir: string;
  readonly memoryLimitBytes: number;
  readonly threads: number;
  readonly readConnections: number;
}

export const DATABASE_FILE = 'store.duckdb';
/** Reads that may wait for a connection; one more is refused with OVERLOADED. */
const READS_WAITING_MAX = 256;
/** The write-ahead log is emptied by maintain() at a good moment, never by a commit. */
const NEVER = '100TB';

export class Session {
  readonly writer: DuckDBConnection;
  readonly background: DuckDBConnection;
  readonly #dir: string;
  readonly #instance: DuckDBInstance;
  readonly #readers: DuckDBConnection[];
  readonly #idle: DuckDBConnection[];
  readonly #waiting: ((connection: DuckDBConnection) => void)[] = [];
  #isLogNamed = false;

  private constructor(dir: string, instance: DuckDBInstance, connections: DuckDBConnection[]) {
    this.#dir = dir;
    this.#instance = instance;
    const [writer, background, ...readers] = connections;
    this.writer = writer!;
    this.background = background!;
    this.#readers = readers;
    this.#idle = [...readers];
  }

  static async open(options: SessionOptions): Promise<Session> {
    const spill = join(options.dir, 'spill');
    const sealed = join(options.dir, 'sealed');
    makeDirectorySync(options.dir);
    makeDirectorySync(spill);
    makeDirectorySync(sealed);
    const instance = await DuckDBInstance.create(join(options.dir, DATABASE_FILE), {
      threads: String(options.threads),
      memory_limit: `${Math.floor(options.memoryLimitBytes / 1024)}KiB`,
      temp_directory: spill,
      checkpoint_threshold: NEVER,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const connections: DuckDBConnection[] = [];
    for (let count = 0; count < 2 + options.readConnections; count += 1) connections.push(await instance.connect());
    const first = connections[0]!;
    // Times in files are UTC whatever the machine's zone is; known only where the ICU extension is compiled in.
    const zoned = await first.runAndReadAll(`SELECT 1 FROM duckdb_settings() WHERE name = 'TimeZone'`);
    if (zoned.currentRowCount > 0) await first.run(`SET GLOBAL TimeZone = 'UTC'`);
    await first.run(`SET GLOBAL parquet_metadata_cache = true`);
    // DuckDB 1.5.6: plans of "the first n of each series" over a filter on rowid fail to bind after this step.
    await first.run(`SET GLOBAL disabled_optimizers = 'top_n_window_elimination'`);
    await first.run(`SET allowed_directories = [${quote(`${sealed}/`)}]`);
    await first.run('SET enable_external_access = false');
    await first.run('SET lock_configuration = true');
    return new Session(options.dir, instance, connections);
  }

  /** Runs a read on a connection of its own; waits for one where all are busy. */
  async read<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = this.#idle.pop() ?? (await this.#wait());
    try {
      return await work(connection);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(connection);
      else next(connection);
    }
  }

  /**
   * DuckDB makes its write-ahead log anew after each checkpoint and flushes its content, not its name: a power cut would take
   * the whole log. So what must outlive one (a commit; a file that is deleted because of a commit) is followed by this.
   */
  async keepLogName(): Promise<void> {
    // A log that is not there yet gets its name with the next commit.
    if (this.#isLogNamed || !existsSync(join(this.#dir, 'store.duckdb.wal'))) return;
    await syncDirectory(this.#dir);
    this.#isLogNamed = true;
  }

  /** Moves the write-ahead log into the database; the next commit begins a new one. A list of its blocks follows (block-list.ts). */
  async checkpoint(): Promise<void> {
    this.#isLogNamed = false;
    await this.writer.run('CHECKPOINT');
  }

  close(): void {
    for (const connection of [this.writer, this.background, ...this.#readers]) connection.closeSync();
    this.#instance.closeSync();
  }

  #wait(): Promise<DuckDBConnection> {
    if (this.#waiting.length >= READS_WAITING_MAX) {
      throw new FieldlineError(
        'OVERLOADED',
        `${READS_WAITING_MAX} telemetry queries are waiting already; ask again later`,
      );
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** A text as an SQL literal. Only for paths that this package made. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A whole number as an SQL literal; anything else is refused, so that no text gets into a statement. */
export function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new FieldlineError('BAD_REQUEST', `${value} is not a whole number`);
  return String(value);
}

/** Runs the work in one transaction; rolled back where it rejects. */
export async function transaction<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
  await connection.run('BEGIN');
  let result: T;
  try {
    result = await work();
    await connection.run('COMMIT');
  } catch (error) {
    // A failed COMMIT has rolled back by itself; a second ROLLBACK then fails, and the first error tells more.
    await connection.run('ROLLBACK').catch(() => {});
    throw error;
  }
  return result;
}

/** What DuckDB threw, as one of our errors. */
export function storeError(what: string, error: unknown): FieldlineError {
  if (error instanceof FieldlineError) return error;
  const message = messageOf(error).split('\n\nStack Trace')[0]!;
  if (/no space left|disk quota|ENOSPC/i.test(message)) {
    return new FieldlineError('DISK_FULL', `${what}: no space left on the device; make room and retry`, {
      cause: error,
    });
  }
  // DuckDB's words for a block or an entry whose checksum is wrong, and for a file that was cut off.
  if (/corrupt (database|wal) file|could not read enough bytes/i.test(message)) {
    const sentence = `${what} failed: ${message}; stop the server and run \`fieldline doctor --repair\`, or restore the store from a backup`;
    return new FieldlineError('STORE_DAMAGED', sentence, { cause: error });
  }
  return new FieldlineError('UNAVAILABLE', `${what} failed: ${message}; retry, and check disk and memory`, {
    cause: error,
  });
}
