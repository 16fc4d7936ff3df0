/**
 * What memory knows, read from the database at the start, and what an interrupted round of background work left behind,
 * put in order: sealed generations that were not dropped yet, files that are listed and gone.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { FieldlineError } from '@fieldline/kit';
import { MICROS_PER_HOUR } from '@fieldline/model';
import { asDoubles } from './aggregate-sql.ts';
import type { Cells } from './cells.ts';
import { fetchTable } from './chunks.ts';
import { sealedPaths } from './found-files.ts';
import { type HotRows, hotRowsSql, hotTables } from './hot-tables.ts';
import type { LatestSamples } from './latest-samples.ts';
import type { Generation, SealedFile } from './layout.ts';
import { dropGeneration } from './seal.ts';
import { REMEDY } from './verify-files.ts';

/** Files whose length is asked for at the same time: one after the other, thousands of them would delay the start. */
const LOOKED_AT_ONCE = 64;

/** Drops what is sealed and reads the generations that are not. */
export async function openGenerations(connection: DuckDBConnection): Promise<Generation[]> {
  const sql = 'SELECT id, created_time, sealed, shards FROM generations ORDER BY id';
  const generations: Generation[] = [];
  for (const [id, createdTime, isSealed, shards] of await (await connection.run(sql)).getRows()) {
    const hot = { id: Number(id), shardRows: new Array<number>(Number(shards)).fill(0) };
    if (isSealed === true) await dropGeneration(connection, hot);
    else generations.push(await readGeneration(connection, hot, Number(createdTime)));
  }
  const newest = generations.at(-1);
  if (newest !== undefined) newest.isOpen = true;
  return generations;
}

async function readGeneration(connection: DuckDBConnection, hot: HotRows, createdTime: number): Promise<Generation> {
  const counts = hotTables(hot).map((table) => `(SELECT count(*) FROM ${table})::DOUBLE`);
  const late = `(SELECT count(*) FROM late_cells WHERE generation >= ${hot.id})::DOUBLE`;
  const { columns } = await fetchTable(connection, `SELECT ${[late, ...counts].join(', ')}`);
  const [lateCount, ...shardRows] = columns.map((column) => column[0]!);
  const rows = hotRowsSql(hot, 'source_time');
  const hours = await fetchTable(
    connection,
    `SELECT DISTINCT (source_time // ${MICROS_PER_HOUR})::DOUBLE FROM (${rows})`,
  );
  return {
    id: hot.id,
    createdTime,
    isOpen: false,
    followsFull: false,
    rowCount: shardRows.reduce((sum, count) => sum + count, 0),
    shardRows,
    lateCount: lateCount!,
    hours: new Set(hours.columns[0] ?? []),
  };
}

/** The listed files; one that is missing or has another length is marked (in memory: it may come back from a backup). */
export async function openFiles(connection: DuckDBConnection, sealedDir: string): Promise<SealedFile[]> {
  const files: SealedFile[] = [];
  const listed = await listedFiles(connection);
  for (let first = 0; first < listed.length; first += LOOKED_AT_ONCE) {
    const group = listed.slice(first, first + LOOKED_AT_ONCE).map(async (file) => {
      const damage = (await presence(join(sealedDir, file.path), file.byteLength)) ?? file.damage;
      return { ...file, damage };
    });
    files.push(...(await Promise.all(group)));
  }
  return files;
}

/** The table `files` as it stands. */
export async function listedFiles(connection: DuckDBConnection): Promise<SealedFile[]> {
  const rows = await (await connection.run('SELECT * FROM files ORDER BY id')).getRowObjects();
  return rows.map((row) => ({
    id: Number(row.id),
    generation: Number(row.generation),
    organizationId: String(row.organization_id),
    day: Number(row.day),
    path: String(row.path),
    rowCount: Number(row.row_count),
    byteLength: Number(row.byte_length),
    crc32: Number(row.crc32),
    minTime: Number(row.min_time),
    maxTime: Number(row.max_time),
    minSeries: Number(row.min_series),
    maxSeries: Number(row.max_series),
    sealedTime: Number(row.sealed_time),
    damage: row.damage === null ? null : String(row.damage),
  }));
}

async function presence(path: string, byteLength: number): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return `sealed file ${path} is missing; ${REMEDY}`;
  return found.size === byteLength
    ? null
    : `sealed file ${path} has ${found.size} bytes instead of ${byteLength}; ${REMEDY}`;
}

/** A database that has never been written to cannot have sealed anything: files beside it belong to one that was lost. */
export async function refuseForeignFiles(sealedDir: string): Promise<void> {
  const sealed = await sealedPaths(sealedDir);
  if (sealed.length === 0) return;
  throw new FieldlineError(
    'STORE_DAMAGED',
    `${sealedDir} holds ${sealed.length} sealed files, but the database beside it is new and knows none of them; stop the server and run \`fieldline doctor --repair\`, which lists them again by what they hold, or restore store.duckdb with store.duckdb.blocks from a backup`,
  );
}

/** Newest samples: as kept when rows were sealed, then those of the hot rows. */
export async function loadLatest(
  connection: DuckDBConnection,
  generations: readonly Generation[],
  latest: LatestSamples,
): Promise<void> {
  await loadFrom(connection, 'latest', latest);
  for (const generation of generations) {
    const rows = hotRowsSql(generation, '*');
    const newest = `SELECT series_id, max(source_time) AS source_time FROM (${rows}) GROUP BY series_id`;
    await loadFrom(
      connection,
      `(SELECT hot.* FROM (${rows}) AS hot JOIN (${newest}) USING (series_id, source_time) ORDER BY arrival)`,
      latest,
    );
  }
}

async function loadFrom(connection: DuckDBConnection, source: string, latest: LatestSamples): Promise<void> {
  const columns = ['series_id', 'source_time', 'received_time', 'value', 'quality', 'version'];
  const table = await fetchTable(connection, `SELECT ${asDoubles(columns)}, text FROM ${source}`, true);
  const [seriesId, sourceTime, receivedTime, value, quality, version] = table.columns as Float64Array[];
  latest.load({
    count: table.rowCount,
    seriesId: Int32Array.from(seriesId!),
    sourceTime: sourceTime!,
    receivedTime: receivedTime!,
    value: value!,
    quality: Uint8Array.from(quality!),
    version: version!,
    texts: table.texts,
  });
}

/** Fills late cells, and stale cells from the list and from hot rows in hours that are rolled up. */
export async function loadCells(
  connection: DuckDBConnection,
  generations: readonly Generation[],
  late: Cells,
  stale: Cells,
): Promise<void> {
  const read = async (sql: string, cells: Cells): Promise<void> => {
    const { rowCount, columns } = await fetchTable(connection, sql);
    for (let row = 0; row < rowCount; row += 1) cells.add(columns[0]![row]!, columns[1]![row]!, columns[2]![row]!);
  };
  await read('SELECT hour::DOUBLE, series_id::DOUBLE, generation::DOUBLE FROM late_cells', late);
  await read('SELECT hour::DOUBLE, series_id::DOUBLE, 0::DOUBLE FROM stale_cells', stale);
  for (const generation of generations) {
    await read(
      `SELECT DISTINCT hour::DOUBLE, series_id::DOUBLE, 0::DOUBLE FROM (${hotRowsSql(generation, 'series_id, source_time')})
       JOIN rolled_hours ON hour = source_time // ${MICROS_PER_HOUR}`,
      stale,
    );
  }
}

/** One column of whole numbers. */
export async function loadNumbers(connection: DuckDBConnection, column: string, table: string): Promise<number[]> {
  const { columns } = await fetchTable(connection, `SELECT ${column}::DOUBLE FROM ${table}`);
  return [...(columns[0] ?? [])];
}
