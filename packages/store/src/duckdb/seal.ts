/**
 * Sealing: a closed generation of hot rows becomes Parquet files, one or more for each organisation and day in it. The files
 * are complete and durable before one transaction lists them and marks the generation sealed; a crash in between leaves
 * files that nobody lists, which the next start removes.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { MICROS_PER_DAY, type Micros } from '@fieldline/model';
import { type HotRows, hotRowsSql, hotTables } from './hot-tables.ts';
import { type Generation, Layout, type SealedFile, type Selection } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import { integer, transaction } from './session.ts';
import { type Portion, Slices } from './slices.ts';
import type { StoreState } from './state.ts';

export async function sealGeneration(state: StoreState, generation: Generation, now: Micros): Promise<void> {
  const connection = state.session.background;
  const portions = await portionsOf(connection, generation);
  const organizations = new Set(portions.map(({ organizationId }) => organizationId));
  const files: SealedFile[] = [];
  for (const portion of portions) {
    const samples = (selection: Selection): string =>
      samplesSql(
        { sealedDir: state.sealedDir, generations: [generation], files: [] },
        selection,
        generation.lateCount > 0,
      );
    const isShared = organizations.size > 1;
    if (isShared) await chooseSeries(connection, generation, portion.organizationId);
    const slices = await Slices.begin(state, samples, { ...portion, generation: generation.id, isShared, now });
    while (!slices.isDone) {
      const file = await slices.writeNext();
      if (file !== null) files.push(file);
    }
  }
  await transaction(connection, async () => {
    await insertFiles(connection, files);
    await connection.run(`UPDATE generations SET sealed = true WHERE id = ${integer(generation.id)}`);
    await keepLatest(connection, hotRowsSql(generation, '*'), 'version DESC, arrival');
    await keepStaleCells(state);
  });
  const { generations, files: before } = state.layout.current;
  const next = new Layout(
    generations.filter(({ id }) => id !== generation.id),
    [...before, ...files],
  );
  state.layout.replace(next, () => dropGeneration(connection, generation));
}

export async function dropGeneration(connection: DuckDBConnection, generation: HotRows): Promise<void> {
  await transaction(connection, async () => {
    for (const table of hotTables(generation)) await connection.run(`DROP TABLE IF EXISTS ${table}`);
    await connection.run(`DELETE FROM generations WHERE id = ${integer(generation.id)}`);
  });
}

async function portionsOf(connection: DuckDBConnection, generation: Generation): Promise<Portion[]> {
  const result =
    await connection.run(`SELECT coalesce(organization_id, ''), (source_time // ${MICROS_PER_DAY})::INTEGER,
    count(*)::INTEGER FROM (${hotRowsSql(generation, 'series_id, source_time')}) LEFT JOIN series ON series.id = series_id GROUP BY 1, 2 ORDER BY 1, 2`);
  const rows = await result.getRows();
  return rows.map(([organizationId, day, rowCount]) => ({
    organizationId: String(organizationId),
    day: Number(day),
    rowCount: Number(rowCount),
  }));
}

/** Puts the series of one organisation into the temporary table `chosen`. */
async function chooseSeries(
  connection: DuckDBConnection,
  generation: Generation,
  organizationId: string,
): Promise<void> {
  await connection.run('CREATE OR REPLACE TEMP TABLE chosen (id INTEGER)');
  await connection.run(
    `INSERT INTO chosen SELECT DISTINCT series_id FROM (${hotRowsSql(generation, 'series_id')}) LEFT JOIN series ON series.id = series_id
     WHERE coalesce(organization_id, '') = $1`,
    [organizationId],
  );
}

export async function insertFiles(connection: DuckDBConnection, files: readonly SealedFile[]): Promise<void> {
  for (const file of files) {
    await connection.run('INSERT INTO files VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL)', [
      file.id,
      file.generation,
      file.organizationId,
      file.day,
      file.path,
      BigInt(file.rowCount),
      BigInt(file.byteLength),
      BigInt(file.crc32),
      BigInt(file.minTime),
      BigInt(file.maxTime),
      file.minSeries,
      file.maxSeries,
      BigInt(file.sealedTime),
    ]);
  }
}

/** The newest sample of each series outlives the hot rows, so that a start need not look into files. */
export async function keepLatest(connection: DuckDBConnection, rows: string, order: string): Promise<void> {
  await connection.run(`INSERT INTO latest
    SELECT series_id, source_time, received_time, value, quality, version, text FROM (
      SELECT * FROM (${rows})
      JOIN (SELECT series_id, max(source_time) AS source_time FROM (${rows}) GROUP BY 1) USING (series_id, source_time))
    QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY ${order}) = 1
    ON CONFLICT DO UPDATE SET source_time = excluded.source_time, received_time = excluded.received_time,
      value = excluded.value, quality = excluded.quality, version = excluded.version, text = excluded.text
    WHERE excluded.source_time > latest.source_time
      OR (excluded.source_time = latest.source_time AND excluded.version > latest.version)`);
}

/**
 * Lists the stale cells that memory knows, but for those that are about to be settled. Those of hot rows would be found
 * again at a start by looking at them; those of sealed rows would not.
 */
export async function keepStaleCells(
  { session, rollUps }: StoreState,
  isSettled: (hour: number, seriesId: number, stamp: number) => boolean = () => false,
): Promise<void> {
  await session.background.run('DELETE FROM stale_cells');
  const rows = [...rollUps.stale.entries()]
    .filter((cell) => !isSettled(...cell))
    .map(([hour, seriesId]) => `(${integer(hour)}, ${integer(seriesId)})`);
  for (let from = 0; from < rows.length; from += 1000) {
    await session.background.run(`INSERT INTO stale_cells VALUES ${rows.slice(from, from + 1000).join(', ')}`);
  }
}
