/**
 * From DuckDB's vectors to typed arrays, without an object or a BigInt per row. A vector's wrapper keeps its memory in `items`,
 * which the library does not export: the one place that reaches for it is itemsOf().
 */
import type { DuckDBConnection, DuckDBVector } from '@duckdb/node-api';

export function itemsOf<T>(vector: DuckDBVector): T {
  return (vector as unknown as { items: T }).items;
}

/** Rows of a query whose columns are all DOUBLE NOT NULL, but for a last one of VARCHAR where `withTexts` says so. */
export interface Table {
  readonly rowCount: number;
  readonly columns: readonly Float64Array[];
  /** Texts by row, only those that are not null. */
  readonly texts: ReadonlyMap<number, string>;
}

/** Runs a query and gathers its rows in columns. */
export async function fetchTable(connection: DuckDBConnection, sql: string, withTexts = false): Promise<Table> {
  const result = await connection.run(sql);
  const columnCount = result.columnCount - (withTexts ? 1 : 0);
  const chunks = await result.fetchAllChunks();
  const rowCount = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0);
  const columns = Array.from({ length: columnCount }, () => new Float64Array(rowCount));
  const texts = new Map<number, string>();
  let at = 0;
  for (const chunk of chunks) {
    for (let column = 0; column < columnCount; column += 1) {
      columns[column]!.set(itemsOf<Float64Array>(chunk.getColumnVector(column)), at);
    }
    if (withTexts) readTexts(chunk.getColumnVector(columnCount), at, texts);
    at += chunk.rowCount;
  }
  return { rowCount, columns, texts };
}

function readTexts(vector: DuckDBVector, at: number, texts: Map<number, string>): void {
  const { validity } = vector as unknown as { validity: { data: BigUint64Array | null } };
  if (validity.data?.every((word) => word === 0n)) return;
  for (let row = 0; row < vector.itemCount; row += 1) {
    const text = vector.getItem(row);
    if (typeof text === 'string') texts.set(at + row, text);
  }
}
