/**
 * SQL for "the samples of these series in this range", wherever they are, each identity once. Texts in it are table names
 * and paths that this package made, and whole numbers. Columns: series_id, source_time, received_time, value (NaN where
 * there is no number), quality, version, text.
 */
import { join } from 'node:path';
import { hotTable, shardsOf } from './hot-tables.ts';
import type { Generation, SealedFile, Selection } from './layout.ts';
import { integer, quote } from './session.ts';

export interface Sources {
  readonly sealedDir: string;
  readonly generations: readonly Generation[];
  readonly files: readonly SealedFile[];
}

/** With `deduplicate` the highest version of an identity wins, of equal ones the one that came first. */
export function samplesSql(sources: Sources, selection: Selection, deduplicate: boolean): string {
  const parts = sources.generations.flatMap((generation) => hotSql(generation, selection));
  // Of equal versions the first wins, so rows say in which generation they came; one scan per generation then.
  if (deduplicate) {
    for (const [generation, files] of Map.groupBy(sources.files, (file) => file.generation)) {
      parts.push(sealedSql(sources.sealedDir, files, generation, selection));
    }
  } else if (sources.files.length > 0) parts.push(sealedSql(sources.sealedDir, sources.files, 0, selection));
  if (parts.length === 0) parts.push(NOTHING);
  const all = parts.join('\nUNION ALL ');
  const columns = 'series_id, source_time, received_time, value, quality, version, text';
  if (!deduplicate) return `SELECT ${columns} FROM (${all})`;
  return `SELECT ${columns} FROM (${all}) QUALIFY row_number() OVER
    (PARTITION BY series_id, source_time ORDER BY version DESC, generation, arrival) = 1`;
}

const NOTHING = `SELECT 0 AS series_id, 0::BIGINT AS source_time, 0::BIGINT AS received_time, 0::DOUBLE AS value,
  0::UTINYINT AS quality, 0::BIGINT AS version, NULL::VARCHAR AS text, 0 AS generation, 0::BIGINT AS arrival WHERE false`;

/** Rows beyond those that are counted were appended after the plan was made: what may repeat among them is not known to it. */
function hotSql(generation: Generation, selection: Selection): string[] {
  const { id, shardRows, isOpen } = generation;
  return shardsOf(generation, selection.seriesIds).map((shard) => {
    const counted = isOpen ? `rowid < ${integer(shardRows[shard]!)} AND` : '';
    return `SELECT series_id, source_time, received_time, value, quality, version, text, ${integer(id)} AS generation,
      rowid AS arrival FROM ${hotTable(id, shard)} WHERE ${counted}
      ${rangeSql('source_time', selection, integer)} AND ${seriesSql(selection)}`;
  });
}

function sealedSql(sealedDir: string, files: readonly SealedFile[], generation: number, selection: Selection): string {
  const paths = files.map(({ path }) => quote(join(sealedDir, path))).join(', ');
  return `SELECT series_id, epoch_us(source_time) AS source_time,
    epoch_us(source_time) + received_delay * received_delay_unit AS received_time,
    coalesce(value, value_scaled / value_divisor, 'NaN'::DOUBLE) AS value, quality, version, text,
    ${integer(generation)} AS generation, 0::BIGINT AS arrival
    FROM read_parquet([${paths}], hive_partitioning = false)
    WHERE ${rangeSql('source_time', selection, timestamp)} AND ${seriesSql(selection)}`;
}

function timestamp(time: number): string {
  return `make_timestamptz(${integer(time)}::BIGINT)`;
}

function rangeSql(column: string, { from, to }: Selection, literal: (time: number) => string): string {
  return `${column} >= ${literal(from)} AND ${column} < ${literal(to)}`;
}

export function seriesSql({ seriesIds }: Pick<Selection, 'seriesIds'>): string {
  if (seriesIds === null) return 'true';
  if (seriesIds.length === 1) return `series_id = ${integer(seriesIds[0]!)}`;
  let least = Infinity;
  let greatest = -Infinity;
  for (const id of seriesIds) {
    least = Math.min(least, id);
    greatest = Math.max(greatest, id);
  }
  // The bounds let whole row groups be passed over.
  return `series_id BETWEEN ${integer(least)} AND ${integer(greatest)} AND series_id IN (${seriesIds.map(integer).join(', ')})`;
}
