/**
 * Where the hot rows of a generation stand: several tables, each with the rows of some series, so that a question about one
 * series looks through a part of them only. A shard is chosen by the series id, which keeps the rows of a series in the order
 * in which they came.
 */

/** Shards of a new generation; a power of two. */
export const SHARDS = 8;
/** Series beside each other are mostly of one device and asked for together: they share a shard. */
const NEIGHBOURS_BITS = 4;

const HOT_COLUMNS = [
  'series_id INTEGER',
  'source_time BIGINT',
  'received_time BIGINT',
  'value DOUBLE',
  'quality UTINYINT',
  'version BIGINT',
  'text VARCHAR',
];

export interface HotRows {
  readonly id: number;
  /** Rows in each shard's table. */
  readonly shardRows: readonly number[];
}

export function shardOf(seriesId: number, shards: number): number {
  return (seriesId >> NEIGHBOURS_BITS) & (shards - 1);
}

/** The shards that hold rows of these series; null = of every series. */
export function shardsOf({ shardRows }: HotRows, seriesIds: readonly number[] | null): number[] {
  if (seriesIds === null) return [...shardRows.keys()];
  return [...new Set(seriesIds.map((id) => shardOf(id, shardRows.length)))].sort((a, b) => a - b);
}

export function hotTable(generation: number, shard: number): string {
  return shard === 0 ? `hot_${generation}` : `hot_${generation}_${shard}`;
}

export function hotTables({ id, shardRows }: HotRows): string[] {
  return shardRows.map((_, shard) => hotTable(id, shard));
}

/** All rows of a generation in SQL. `arrival` tells the order of rows of one series. */
export function hotRowsSql(generation: HotRows, columns: string): string {
  return hotTables(generation)
    .map((table) => `SELECT ${columns}, rowid AS arrival FROM ${table}`)
    .join(' UNION ALL ');
}

export function createHotTables(generation: HotRows): string[] {
  // Hot rows live for minutes: a checkpoint would spend more on their compression than writing them costs.
  const columns = HOT_COLUMNS.map((column) => `${column} USING COMPRESSION uncompressed`).join(', ');
  return hotTables(generation).map((table) => `CREATE TABLE ${table} (${columns})`);
}
