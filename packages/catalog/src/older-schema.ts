/** For tests of migration: a new catalog folder as an older version would have made it. */
import { readMigrations } from './database/migrate.ts';
import { openEngine } from './pglite/engine.ts';
import { preparePgliteFolder } from './pglite/pglite.ts';

/** The first `versions` migrations are applied; negative: all but so many. */
export async function makeOlderCatalog(dataDir: string, versions: number): Promise<void> {
  await preparePgliteFolder(dataDir);
  const engine = await openEngine(dataDir);
  await engine.exec(`create schema fieldline; create table fieldline.schema_migrations
    (version integer primary key, name text not null, applied_at timestamptz not null default now())`);
  for (const { version, name, sql } of readMigrations().slice(0, versions)) {
    await engine.exec(sql);
    await engine.query('insert into fieldline.schema_migrations (version, name) values ($1, $2)', [version, name]);
  }
  await engine.close();
}
