/** The schema of an empty database as a version made it: migrations one after the other, past the roles of a running catalog. */
import type { PGlite } from '@electric-sql/pglite';
import type { Migration } from '../database/migrate.ts';

export async function makeSchema(engine: PGlite, migrations: readonly Migration[]): Promise<void> {
  await engine.exec(`create schema fieldline; create table fieldline.schema_migrations
    (version integer primary key, name text not null, applied_at timestamptz not null default now())`);
  for (const { version, name, sql } of migrations) {
    await engine.exec(sql);
    await engine.query('insert into fieldline.schema_migrations (version, name) values ($1, $2)', [version, name]);
  }
}
