/**
 * Between typed arrays and DuckDB's vectors, 2,048 rows at a time, without an object or a BigInt per row. A vector's
 * wrapper keeps its memory in `items`, which the library does not export: the one place that reaches for it is itemsOf().
 */
import {
  BIGINT,
  DOUBLE,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBVector,
  INTEGER,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api';
import type { SampleBatch } from '@fieldline/model';

const ROWS_PER_CHUNK = 2048;
const HOT_TYPES = [INTEGER, BIGINT, BIGINT, DOUBLE, UTINYINT, BIGINT, VARCHAR];
const TEXT_COLUMN = 6;
const TWO_TO_32 = 2 ** 32;

function itemsOf<T>(vector: DuckDBVector): T {
  return (vector as unknown as { items: T }).items;
}

/** Appends batches to one hot table. The rows are in the connection's transaction after append(). */
export class HotAppender {
  readonly #appender: DuckDBAppender;
  /** Its text column is all null and stays so: filling the others leaves it alone. */
  readonly #numbers = DuckDBDataChunk.create(HOT_TYPES, ROWS_PER_CHUNK);
  readonly #texts = DuckDBDataChunk.create(HOT_TYPES);

  private constructor(appender: DuckDBAppender) {
    this.#appender = appender;
    setTexts(this.#numbers, null, 0, ROWS_PER_CHUNK);
  }

  static async open(connection: DuckDBConnection, table: string): Promise<HotAppender> {
    return new HotAppender(await connection.createAppender(table));
  }

  append(batch: SampleBatch): void {
    for (let from = 0; from < batch.count; from += ROWS_PER_CHUNK) {
      const to = Math.min(from + ROWS_PER_CHUNK, batch.count);
      const chunk = batch.texts === null ? this.#numbers : this.#texts;
      if (batch.texts !== null) chunk.reset();
      chunk.rowCount = to - from;
      fill(chunk, 0, (items: Int32Array) => items.set(batch.seriesId.subarray(from, to)));
      fill(chunk, 1, (items: BigInt64Array) => setWords(items, batch.sourceTime, from, to));
      fill(chunk, 2, (items: BigInt64Array) => setWords(items, batch.receivedTime, from, to));
      fill(chunk, 3, (items: Float64Array) => items.set(batch.value.subarray(from, to)));
      fill(chunk, 4, (items: Uint8Array) => items.set(batch.quality.subarray(from, to)));
      fill(chunk, 5, (items: BigInt64Array) => setWords(items, batch.version, from, to));
      if (batch.texts !== null) setTexts(chunk, batch.texts, from, to);
      this.#appender.appendDataChunk(chunk);
    }
    this.#appender.flushSync();
  }

  close(): void {
    this.#appender.closeSync();
  }

  /** Throws away what was not flushed and closes. */
  discard(): void {
    this.#appender.clear();
    this.#appender.closeSync();
  }
}

function fill<T>(chunk: DuckDBDataChunk, column: number, write: (items: T) => void): void {
  const vector = chunk.getColumnVector(column);
  write(itemsOf<T>(vector));
  (vector as unknown as { flush(): void }).flush();
}

/** Whole numbers up to 2^53 as 64-bit integers, written as two 32-bit words (little-endian, as all of Node's platforms). */
function setWords(items: BigInt64Array, source: Float64Array, from: number, to: number): void {
  const words = new Int32Array(items.buffer, items.byteOffset, items.length * 2);
  for (let row = from, word = 0; row < to; row += 1, word += 2) {
    const value = source[row]!;
    words[word] = value >>> 0;
    words[word + 1] = Math.floor(value / TWO_TO_32);
  }
}

function setTexts(chunk: DuckDBDataChunk, texts: ReadonlyMap<number, string> | null, from: number, to: number): void {
  const values = Array.from({ length: to - from }, (_, row) => texts?.get(from + row) ?? null);
  chunk.setColumnValues(TEXT_COLUMN, values);
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
