/**
 * The embedded catalog: PostgreSQL 18 (PGlite) in a worker thread, reached by the same driver as a server, over a stream
 * instead of a socket. One session, so transactions run one after the other. The session starts as the superuser, brings the
 * schema up to date and then becomes the ordinary role fieldline_app; only housekeeping goes back for a moment.
 */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { FieldlineError, messageOf, silentLogger, systemClock } from '@fieldline/kit';
import pg from 'pg';
import { copiesOf } from '../copies/copy-file.ts';
import { CopyKeeper } from '../copies/copy-keeper.ts';
import type { Ask } from '../copies/take-copy.ts';
import { CHANNEL, type Database, type Door, pingWith, type Queries, runTransaction } from '../database/database.ts';
import { translateError } from '../database/errors.ts';
import { migrate } from '../database/migrate.ts';
import { type PgliteOptions, type StartedPglite, startPglite, unopened } from './start-thread.ts';
import { writeSums } from './sums.ts';
import { WorkerSocket } from './worker-socket.ts';

const LOGIN = `
  do $$ begin
    if not exists (select from pg_roles where rolname = 'fieldline_app') then
      create role fieldline_app nologin noinherit;
    end if;
  end $$;
  grant fieldline_tenant, fieldline_system to fieldline_app;
`;

/** `started`: what startPglite() has begun with these options; begun here where it is absent. */
export async function openPglite(options: PgliteOptions, started = startPglite(options)): Promise<PgliteDatabase> {
  const { worker, unlock, fsyncCount } = await started.catch((error: unknown) => {
    throw translateError(error);
  });
  try {
    return new PgliteDatabase({ worker, client: await connect(worker), unlock, fsyncCount, options });
  } catch (error) {
    await worker.terminate();
    unlock();
    throw unopened(options.dataDir, translateError(error));
  }
}

interface Parts extends StartedPglite {
  readonly client: pg.Client;
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

async function connect(worker: Worker): Promise<pg.Client> {
  // It was started some time ago, and its end is told once.
  if (worker.threadId === -1) throw new FieldlineError('UNAVAILABLE', 'catalog: the thread of the database has ended');
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
