/** For tests of migration: a new catalog folder as an older version would have made it. */
import { readMigrations } from './database/migrate.ts';
import { openEngine } from './pglite/engine.ts';
import { makeSchema } from './pglite/make-schema.ts';
import { preparePgliteFolder } from './pglite/start-thread.ts';

/** The first `versions` migrations are applied; negative: all but so many. */
export async function makeOlderCatalog(dataDir: string, versions: number): Promise<void> {
  await preparePgliteFolder(dataDir);
  const engine = await openEngine(dataDir);
  await makeSchema(engine, readMigrations().slice(0, versions));
  await engine.close();
}
