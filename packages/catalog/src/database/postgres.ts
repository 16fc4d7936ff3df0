/**
 * The catalog on a PostgreSQL server (15 or newer). Two log-ins: the owner's, for migrations alone, and an ordinary one that
 * is a member of fieldline_tenant and fieldline_system but has no rights of its own (README: Roles). A log-in that row-level
 * security would not hold is refused. Notifications come over a connection of their own, which is made again when it is lost.
 */
import { Backoff, FieldlineError, type Logger, messageOf, silentLogger, sleep } from '@fieldline/kit';
import pg from 'pg';
import { CHANNEL, type Database, type Door, pingWith, type Queries, runTransaction } from './database.ts';
import { translateError } from './errors.ts';
import { checkVersion, migrate, readMigrations, storedVersion } from './migrate.ts';

export interface PostgresOptions {
  /** Address with the ordinary role, e.g. postgres://fieldline_app:…@host/fieldline. */
  readonly url: string;
  /** Address with the role that owns the schema; absent = the schema must be up to date already. */
  readonly migrationUrl?: string;
  /** Connections for transactions. Default 10; whoever finds none free waits, at most connectTimeoutMs. */
  readonly connectionsMax?: number;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  readonly logger?: Logger;
}

/** How often watchers look by themselves, should a notification have been lost. */
const POLL_INTERVAL_MS = 2_000;

export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  if (options.migrationUrl !== undefined) await migrateAs(options.migrationUrl, connectTimeoutMs);
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax ?? 10,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    application_name: 'fieldline',
  });
  const logger = options.logger ?? silentLogger;
  // A connection that breaks while it is idle; the pool makes another when one is needed.
  pool.on('error', (error) => logger.warn({ error: error.message }, 'catalog: an idle connection was lost'));
  try {
    await checkLogin(pool);
  } catch (error) {
    await pool.end();
    throw translateError(error);
  }
  return new PostgresDatabase(pool, options.url, logger);
}

class PostgresDatabase implements Database {
  readonly pollIntervalMs = POLL_INTERVAL_MS;
  readonly #pool: pg.Pool;
  readonly #url: string;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  #listening: Promise<void> | null = null;

  constructor(pool: pg.Pool, url: string, logger: Logger) {
    this.#pool = pool;
    this.#url = url;
    this.#logger = logger;
  }

  async transaction<T>(door: Door, work: (queries: Queries) => Promise<T>): Promise<T> {
    if (this.#ended.signal.aborted) throw new FieldlineError('STOPPED', 'the catalog has been closed');
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw new FieldlineError('UNAVAILABLE', `catalog: no connection: ${messageOf(error)}`, { cause: error });
    }
    let broken = false;
    const onError = (): void => {
      broken = true;
    };
    client.on('error', onError);
    try {
      return await runTransaction(client, door, work);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  onNotification(listener: (payload: string | null) => void): void {
    this.#listening ??= this.#listen(listener);
  }

  ping(): Promise<void> {
    return pingWith(() => this.#pool.query('select 1'));
  }

  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    await this.#listening;
    await this.#pool.end();
  }

  async #listen(listener: (payload: string | null) => void): Promise<void> {
    const backoff = new Backoff();
    while (!this.#ended.signal.aborted) {
      const client = new pg.Client({
        connectionString: this.#url,
        keepAlive: true,
        application_name: 'fieldline-listen',
      });
      try {
        const lost = new Promise<void>((resolve) => {
          client.on('error', () => resolve());
          client.on('end', () => resolve());
          this.#ended.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        await client.connect();
        client.on('notification', (message) => listener(message.payload ?? ''));
        await client.query(`listen ${CHANNEL}`);
        backoff.reset();
        listener(null);
        await lost;
      } catch (error) {
        this.#logger.warn({ error: messageOf(error) }, 'catalog: notifications are away; looking at intervals instead');
      }
      await client.end().catch(() => {
        // It was lost: there is nothing to end.
      });
      if (!this.#ended.signal.aborted) await sleep(backoff.nextMs(), this.#ended.signal);
    }
  }
}

async function migrateAs(url: string, connectTimeoutMs: number): Promise<void> {
  const owner = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs });
  owner.on('error', () => {
    // The statement that is under way fails with it and tells.
  });
  try {
    await owner.connect();
    await migrate(owner);
  } catch (error) {
    throw translateError(error);
  } finally {
    await owner.end();
  }
}

/** Refuses a log-in that row-level security would not hold, and a schema of another version. */
async function checkLogin(pool: pg.Pool): Promise<void> {
  const result = await pool.query<{ name: string; problem: string | null }>(`
    select session_user as name, case
      when r.rolsuper then 'is a superuser'
      when r.rolbypassrls then 'has BYPASSRLS'
      when exists (select from pg_namespace where nspname = 'fieldline' and pg_has_role(session_user, nspowner, 'MEMBER'))
        then 'owns the schema'
      when to_regrole('fieldline_tenant') is null then 'finds no role fieldline_tenant'
      when not pg_has_role(session_user, 'fieldline_tenant', 'MEMBER') or not pg_has_role(session_user, 'fieldline_system', 'MEMBER')
        then 'is no member of fieldline_tenant and fieldline_system'
      end as problem
    from pg_roles r where r.rolname = session_user`);
  const { name, problem } = result.rows[0]!;
  if (problem !== null) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `catalog: the database role ${name} ${problem}; give an ordinary role that is a member of fieldline_tenant and fieldline_system`,
    );
  }
  const client = await pool.connect();
  try {
    const version = await runTransaction(client, 'system', () => storedVersion(client));
    checkVersion(version, readMigrations(), false);
  } finally {
    client.release();
  }
}
