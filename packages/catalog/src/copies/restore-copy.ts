/**
 * Makes a catalog folder anew from a copy, for one that is damaged. The new one is built beside its place and moved there when
 * it is whole and flushed; what was there is moved aside, never deleted. In: nobody has the catalog open.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FieldlineError, makeDirectorySync, syncDirectory } from '@fieldline/kit';
import { readMigrations } from '../database/migrate.ts';
import { openEngine } from '../pglite/engine.ts';
import { flushFolder } from '../pglite/flush-after-crash.ts';
import { makeSchema } from '../pglite/make-schema.ts';
import { preparePgliteFolder } from '../pglite/start-thread.ts';
import { type CatalogCopy, type CopyFile, copiesOf, listCopies, readCopy } from './copy-file.ts';
import { COPIED_TABLES } from './take-copy.ts';

const ROWS_AT_ONCE = 1_000;

/** The newest copy that is whole; null where there is none. */
export async function newestCopy(catalogFolder: string): Promise<(CopyFile & { readonly copy: CatalogCopy }) | null> {
  for (const file of await listCopies(copiesOf(catalogFolder))) {
    try {
      return { ...file, copy: await readCopy(file.path) };
    } catch {
      // Damaged, or of a newer version: the one before it is next.
    }
  }
  return null;
}

/** Puts the newest whole copy in the catalog's place. Returns when it was taken. */
export async function restoreCatalog(folder: string, asideDir: string): Promise<{ readonly takenAt: string }> {
  const newest = await newestCopy(folder);
  if (newest === null) {
    throw new FieldlineError('CATALOG_DAMAGED', `${copiesOf(folder)} holds no copy that is whole; restore a backup`);
  }
  const building = `${folder}.restored-${process.pid}`;
  await rm(building, { recursive: true, force: true });
  await preparePgliteFolder(building);
  await fill(building, newest.copy);
  await flushFolder(building);
  makeDirectorySync(asideDir);
  for (const path of [folder, `${folder}.sums`]) {
    if ((await stat(path).catch(() => null)) !== null) await rename(path, join(asideDir, basename(path)));
  }
  await syncDirectory(asideDir);
  await rename(building, folder);
  await syncDirectory(dirname(folder));
  return { takenAt: newest.takenAt };
}

/** As the superuser, with neither triggers nor references at work: the rows are those of a catalog in which they were. */
async function fill(folder: string, { schemaVersion, rows }: CatalogCopy): Promise<void> {
  const engine = await openEngine(folder, { isBuilding: true });
  try {
    await makeSchema(
      engine,
      readMigrations().filter(({ version }) => version <= schemaVersion),
    );
    await engine.exec('set session_replication_role = replica');
    await engine.exec(`delete from fieldline.directory_clock`);
    for (const table of COPIED_TABLES) {
      const own = rows.filter((row) => row.startsWith(`${table} `)).map((row) => row.slice(table.length + 1));
      for (let from = 0; from < own.length; from += ROWS_AT_ONCE) {
        await engine.query(
          `insert into fieldline.${table} overriding system value
           select * from jsonb_populate_recordset(null::fieldline.${table}, $1::text::jsonb)`,
          [`[${own.slice(from, from + ROWS_AT_ONCE).join(',')}]`],
        );
      }
    }
    await engine.exec(
      `select setval('fieldline.series_id_seq', max(id)) from fieldline.series having max(id) is not null`,
    );
  } finally {
    await engine.close();
  }
}
