/**
 * Sealing: a closed generation of hot rows becomes Parquet files, one or more for each organisation and day in it. The files
 * are complete and durable before one transaction lists them and marks the generation sealed; a crash in between leaves
 * files that nobody lists, which the next start removes.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { MICROS_PER_DAY, type Micros } from '@fieldline/model';
import { type Generation, Layout, type SealedFile, type Selection } from './layout.ts';
import { samplesSql } from './samples-sql.ts';
import { hotTable } from './schema.ts';
import { integer, transaction } from './session.ts';
import type { StoreState } from './state.ts';
import { writeParquet } from './write-parquet.ts';

interface Portion {
  readonly organizationId: string;
  readonly day: number;
  readonly rowCount: number;
}

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
    files.push(...(await writeSlices(state, samples, { ...portion, generation: generation.id, isShared, now })));
  }
  await transaction(connection, async () => {
    await insertFiles(connection, files);
    await connection.run(`UPDATE generations SET sealed = true WHERE id = ${integer(generation.id)}`);
    await keepLatest(connection, generation);
    await keepStaleCells(state);
  });
  const { generations, files: before } = state.layout.current;
  const next = new Layout(
    generations.filter(({ id }) => id !== generation.id),
    [...before, ...files],
  );
  state.layout.replace(next, () => dropGeneration(connection, generation.id));
}

export async function dropGeneration(connection: DuckDBConnection, id: number): Promise<void> {
  await transaction(connection, async () => {
    await connection.run(`DROP TABLE IF EXISTS ${hotTable(id)}`);
    await connection.run(`DELETE FROM generations WHERE id = ${integer(id)}`);
  });
}

async function portionsOf(connection: DuckDBConnection, { id }: Generation): Promise<Portion[]> {
  const result =
    await connection.run(`SELECT coalesce(organization_id, ''), (source_time // ${MICROS_PER_DAY})::INTEGER,
    count(*)::INTEGER FROM ${hotTable(id)} LEFT JOIN series ON series.id = series_id GROUP BY 1, 2 ORDER BY 1, 2`);
  const rows = await result.getRows();
  return rows.map(([organizationId, day, rowCount]) => ({
    organizationId: String(organizationId),
    day: Number(day),
    rowCount: Number(rowCount),
  }));
}

/** Puts the series of one organisation into the temporary table `chosen`. */
async function chooseSeries(connection: DuckDBConnection, { id }: Generation, organizationId: string): Promise<void> {
  await connection.run('CREATE OR REPLACE TEMP TABLE chosen (id INTEGER)');
  await connection.run(
    `INSERT INTO chosen SELECT DISTINCT series_id FROM ${hotTable(id)} LEFT JOIN series ON series.id = series_id
     WHERE coalesce(organization_id, '') = $1`,
    [organizationId],
  );
}

export interface SliceOptions extends Portion {
  readonly generation: number;
  /** Other organisations are in the source too: take the series in `chosen` alone. */
  readonly isShared: boolean;
  readonly now: Micros;
}

/** Writes one day of one organisation, cut between series into files of bounded size, so that sorting stays in memory. */
export async function writeSlices(
  state: StoreState,
  samples: (selection: Selection) => string,
  options: SliceOptions,
): Promise<SealedFile[]> {
  const connection = state.session.background;
  const selection = { seriesIds: null, from: options.day * MICROS_PER_DAY, to: (options.day + 1) * MICROS_PER_DAY };
  const chosen = options.isShared ? 'series_id IN (SELECT id FROM chosen)' : 'true';
  const all = `SELECT * FROM (${samples(selection)}) WHERE ${chosen}`;
  const bounds = await sliceBounds(connection, all, Math.ceil(options.rowCount / state.settings.sliceRowsMax));
  const files: SealedFile[] = [];
  for (const [index, from] of bounds.entries()) {
    const to = bounds[index + 1];
    const slice = to === undefined ? `series_id >= ${from}` : `series_id >= ${from} AND series_id < ${to}`;
    const id = state.nextFileId;
    state.nextFileId += 1;
    const target = {
      sealedDir: state.sealedDir,
      id,
      generation: options.generation,
      organizationId: options.organizationId,
      day: options.day,
      sealedTime: options.now,
    };
    const sql = bounds.length === 1 ? all : `SELECT * FROM (${all}) WHERE ${slice}`;
    const file = await writeParquet(connection, sql, target);
    if (file !== null) files.push(file);
  }
  return files;
}

/** Series ids at which slices of about equal size begin. */
async function sliceBounds(connection: DuckDBConnection, samples: string, count: number): Promise<string[]> {
  const least = String(-(2 ** 31));
  if (count <= 1) return [least];
  const shares = Array.from({ length: count - 1 }, (_, index) => (index + 1) / count);
  const rows = await (
    await connection.run(`SELECT unnest(list_sort(list_distinct(quantile_disc(series_id, [${shares.join(', ')}]))))
      FROM (${samples})`)
  ).getRows();
  return [least, ...rows.map(([id]) => integer(Number(id)))];
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
async function keepLatest(connection: DuckDBConnection, { id }: Generation): Promise<void> {
  await connection.run(`INSERT INTO latest
    SELECT series_id, source_time, received_time, value, quality, version, text FROM (
      SELECT *, rowid AS arrival FROM ${hotTable(id)}
      JOIN (SELECT series_id, max(source_time) AS source_time FROM ${hotTable(id)} GROUP BY 1) USING (series_id, source_time))
    QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY version DESC, arrival) = 1
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
