/**
 * Puts sealed files onto the list of a new database, with what it must know of them: which hours hold repeated samples, the
 * newest sample of each series, which roll-ups are not up to date. Nothing is hot in such a database.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf } from '@fieldline/kit';
import { MICROS_PER_DAY, MICROS_PER_HOUR } from '@fieldline/model';
import { SERIES_FILE } from './found-files.ts';
import type { SealedFile } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import { insertFiles, keepLatest } from './seal.ts';
import { integer, quote, transaction } from './session.ts';
import { organizationFolder } from './write-parquet.ts';

export interface Adoption {
  /** Files as they were on the list of the old database. */
  readonly listed: readonly SealedFile[];
  /** Files that it did not know. */
  readonly found: readonly SealedFile[];
  /** True where the table `latest` of the old database was taken over. */
  readonly hasLatest: boolean;
  /** True where `late_cells` was. */
  readonly hasLateCells: boolean;
}

/** One transaction for each organisation and day. */
export async function adoptFiles(connection: DuckDBConnection, sealedDir: string, adoption: Adoption): Promise<void> {
  const found = withOwnIds(adoption);
  const isNew = new Set(found);
  const portions = Map.groupBy([...adoption.listed, ...found], (file) => `${file.day} ${file.organizationId}`);
  for (const files of portions.values()) {
    const added = files.filter((file) => isNew.has(file));
    const settled = added.length === 0;
    await transaction(connection, async () => {
      await insertFiles(connection, files);
      if (!settled || !adoption.hasLateCells) await markRepeated(connection, sealedDir, files);
      if (!settled) await markStale(connection, sealedDir, added);
      const newest = adoption.hasLatest ? added : files;
      if (newest.length > 0) await keepLatest(connection, rowsOf(sealedDir, newest), 'version DESC');
    });
  }
}

/** Series that the database does not know, from the list beside each organisation's samples; what could not be read, in sentences. */
export async function adoptSeries(
  connection: DuckDBConnection,
  sealedDir: string,
  files: readonly SealedFile[],
): Promise<string[]> {
  const told: string[] = [];
  for (const organizationId of new Set(files.map((file) => file.organizationId))) {
    const path = join(sealedDir, organizationFolder(organizationId), SERIES_FILE);
    if (!existsSync(path)) continue;
    try {
      await connection.run(
        `INSERT INTO series SELECT series_id, organization_id, subject_kind, subject_id, metric_key, value_kind, unit, metadata
         FROM read_parquet(${quote(path)}, hive_partitioning = false) WHERE organization_id = $1 ON CONFLICT DO NOTHING`,
        [organizationId],
      );
    } catch (error) {
      told.push(
        `${path} cannot be read (${messageOf(error).split('\n')[0]}): its series come again with their samples`,
      );
    }
  }
  return told;
}

/** Ids tell the lines of the list apart; a name keeps the one that it was given. */
function withOwnIds({ listed, found }: Adoption): SealedFile[] {
  const taken = new Set(listed.map(({ id }) => id));
  let highest = [...listed, ...found].reduce((most, { id }) => Math.max(most, id), 0);
  return found.map((file) => {
    if (taken.has(file.id)) highest += 1;
    const id = taken.has(file.id) ? highest : file.id;
    taken.add(id);
    return { ...file, id };
  });
}

function rowsOf(sealedDir: string, files: readonly SealedFile[]): string {
  const { day } = files[0]!;
  const selection = { seriesIds: null, from: day * MICROS_PER_DAY, to: (day + 1) * MICROS_PER_DAY };
  return samplesSql({ sealedDir, generations: [], files }, selection, false);
}

/** A file and what it was merged into may both be there; a sample may have been corrected. Compaction settles it. */
async function markRepeated(
  connection: DuckDBConnection,
  sealedDir: string,
  files: readonly SealedFile[],
): Promise<void> {
  if (files.length < 2) return;
  const generation = files.reduce((most, file) => Math.max(most, file.generation), 0);
  await connection.run(`INSERT INTO late_cells
    SELECT DISTINCT (source_time // ${MICROS_PER_HOUR})::INTEGER, series_id, ${integer(generation)} FROM (
      SELECT series_id, source_time FROM (${rowsOf(sealedDir, files)}) GROUP BY ALL HAVING count(*) > 1)`);
}

async function markStale(connection: DuckDBConnection, sealedDir: string, files: readonly SealedFile[]): Promise<void> {
  await connection.run(`INSERT INTO stale_cells
    SELECT DISTINCT hour, series_id FROM (
      SELECT (source_time // ${MICROS_PER_HOUR})::INTEGER AS hour, series_id FROM (${rowsOf(sealedDir, files)}))
    JOIN rolled_hours USING (hour)`);
}
