/**
 * Migrations: the numbered SQL files of ../../migrations, each applied once, in order, all in one transaction under a lock
 * that keeps other processes out. A database that a newer version has migrated is refused with FORMAT_TOO_NEW. They run as
 * the owner of the schema, before anybody takes on an ordinary role.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { FieldlineError } from '@fieldline/kit';
import type pg from 'pg';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const FOLDER = new URL('../../migrations/', import.meta.url);
/** Any number that nobody else on the server uses: 'fldl'. */
const LOCK = 0x666c646c;

/** The migrations that this version knows, ascending: 1, 2, 3, … */
export function readMigrations(): Migration[] {
  const files = readdirSync(FOLDER)
    .filter((file) => /^\d{4}_.+\.sql$/.test(file))
    .sort();
  return files.map((file) => ({
    version: Number(file.slice(0, 4)),
    name: file.slice(5, -4),
    sql: readFileSync(new URL(file, FOLDER), 'utf8'),
  }));
}

/** Brings the schema up to date. Returns the versions that were applied. */
export async function migrate(owner: pg.ClientBase, migrations = readMigrations()): Promise<number[]> {
  await owner.query('begin');
  try {
    await owner.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await owner.query('create schema if not exists fieldline');
    await owner.query(
      'create table if not exists fieldline.schema_migrations (version integer primary key, name text not null, applied_at timestamptz not null default now())',
    );
    const stored = await storedVersion(owner);
    checkVersion(stored, migrations);
    const missing = migrations.filter((migration) => migration.version > stored);
    for (const { version, name, sql } of missing) {
      await owner.query(sql);
      await owner.query('insert into fieldline.schema_migrations (version, name) values ($1, $2)', [version, name]);
    }
    await owner.query('commit');
    return missing.map((migration) => migration.version);
  } catch (error) {
    await owner.query('rollback');
    throw error;
  }
}

/** Refuses a schema that is newer than this version, or (where it cannot be migrated from here) older. */
export function checkVersion(stored: number, migrations: readonly Migration[], mayMigrate = true): void {
  const known = migrations.at(-1)?.version ?? 0;
  if (stored > known) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `catalog: the database has schema version ${stored}, this version knows ${known}; start the newer version, or restore a backup`,
    );
  }
  if (stored < known && !mayMigrate) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `catalog: the database has schema version ${stored}, ${known} is needed; set the address for migrations (a role that owns the schema)`,
    );
  }
}

/** The schema's version; 0 where there is none yet. */
export async function storedVersion(client: pg.ClientBase): Promise<number> {
  const there = await client.query("select to_regclass('fieldline.schema_migrations') is not null as there");
  if (!there.rows[0].there) return 0;
  const result = await client.query<{ version: number | null }>(
    'select max(version) as version from fieldline.schema_migrations',
  );
  return result.rows[0]?.version ?? 0;
}
