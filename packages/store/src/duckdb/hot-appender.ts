/**
 * Batches into the hot tables of one generation, through DuckDB's vectors, 2,048 rows at a time, without an object or a
 * BigInt per row. The rows of a batch are dealt out to the shards of their series first.
 */
import {
  BIGINT,
  DOUBLE,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  INTEGER,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api';
import type { SampleBatch } from '@fieldline/model';
import { itemsOf } from './chunks.ts';
import { hotTables, shardOf } from './hot-tables.ts';

const ROWS_PER_CHUNK = 2048;
const HOT_TYPES = [INTEGER, BIGINT, BIGINT, DOUBLE, UTINYINT, BIGINT, VARCHAR];
const TEXT_COLUMN = 6;
const TWO_TO_32 = 2 ** 32;

export class HotAppender {
  readonly #appenders: readonly DuckDBAppender[];
  /** Its text column is all null and stays so: filling the others leaves it alone. */
  readonly #numbers = DuckDBDataChunk.create(HOT_TYPES, ROWS_PER_CHUNK);
  readonly #texts = DuckDBDataChunk.create(HOT_TYPES);
  /** Rows of the batch, those of a shard side by side, in their order; and where each shard's begin. */
  #rows = new Int32Array(0);
  readonly #begins: Int32Array;

  private constructor(appenders: readonly DuckDBAppender[]) {
    this.#appenders = appenders;
    this.#begins = new Int32Array(appenders.length + 1);
    setTexts(this.#numbers, null, new Int32Array(ROWS_PER_CHUNK));
  }

  static async open(
    connection: DuckDBConnection,
    generation: { readonly id: number; readonly shardRows: readonly number[] },
  ): Promise<HotAppender> {
    const appenders: DuckDBAppender[] = [];
    for (const table of hotTables(generation)) appenders.push(await connection.createAppender(table));
    return new HotAppender(appenders);
  }

  /** The rows are in the connection's transaction when it returns: how many in each shard. */
  append(batch: SampleBatch): number[] {
    this.#deal(batch);
    return this.#appenders.map((appender, shard) => {
      const [begin, end] = [this.#begins[shard]!, this.#begins[shard + 1]!];
      for (let from = begin; from < end; from += ROWS_PER_CHUNK) {
        this.#appendChunk(appender, batch, this.#rows.subarray(from, Math.min(from + ROWS_PER_CHUNK, end)));
      }
      if (end > begin) appender.flushSync();
      return end - begin;
    });
  }

  close(): void {
    for (const appender of this.#appenders) appender.closeSync();
  }

  /** Throws away what was not flushed and closes. */
  discard(): void {
    for (const appender of this.#appenders) appender.clear();
    this.close();
  }

  /** Counting sort by shard: counts, then where each shard begins, then the rows. */
  #deal({ count, seriesId }: SampleBatch): void {
    const begins = this.#begins.fill(0);
    const shards = this.#appenders.length;
    if (this.#rows.length < count) this.#rows = new Int32Array(count * 2);
    for (let row = 0; row < count; row += 1) begins[shardOf(seriesId[row]!, shards) + 1]! += 1;
    for (let shard = 1; shard <= shards; shard += 1) begins[shard]! += begins[shard - 1]!;
    const at = begins.slice(0, shards);
    for (let row = 0; row < count; row += 1) {
      const shard = shardOf(seriesId[row]!, shards);
      this.#rows[at[shard]!] = row;
      at[shard]! += 1;
    }
  }

  #appendChunk(appender: DuckDBAppender, batch: SampleBatch, rows: Int32Array): void {
    const chunk = batch.texts === null ? this.#numbers : this.#texts;
    if (batch.texts !== null) chunk.reset();
    chunk.rowCount = rows.length;
    fill(chunk, 0, (items: Int32Array) => gather(items, batch.seriesId, rows));
    fill(chunk, 1, (items: BigInt64Array) => gatherWords(items, batch.sourceTime, rows));
    fill(chunk, 2, (items: BigInt64Array) => gatherWords(items, batch.receivedTime, rows));
    fill(chunk, 3, (items: Float64Array) => gather(items, batch.value, rows));
    fill(chunk, 4, (items: Uint8Array) => gather(items, batch.quality, rows));
    fill(chunk, 5, (items: BigInt64Array) => gatherWords(items, batch.version, rows));
    if (batch.texts !== null) setTexts(chunk, batch.texts, rows);
    appender.appendDataChunk(chunk);
  }
}

function fill<T>(chunk: DuckDBDataChunk, column: number, write: (items: T) => void): void {
  const vector = chunk.getColumnVector(column);
  write(itemsOf<T>(vector));
  (vector as unknown as { flush(): void }).flush();
}

function gather<T extends Int32Array | Float64Array | Uint8Array>(items: T, source: T, rows: Int32Array): void {
  for (let at = 0; at < rows.length; at += 1) items[at] = source[rows[at]!]!;
}

/** Whole numbers up to 2^53 as 64-bit integers, written as two 32-bit words (little-endian, as all of Node's platforms). */
function gatherWords(items: BigInt64Array, source: Float64Array, rows: Int32Array): void {
  const words = new Int32Array(items.buffer, items.byteOffset, items.length * 2);
  for (let at = 0, word = 0; at < rows.length; at += 1, word += 2) {
    const value = source[rows[at]!]!;
    words[word] = value >>> 0;
    words[word + 1] = Math.floor(value / TWO_TO_32);
  }
}

function setTexts(chunk: DuckDBDataChunk, texts: ReadonlyMap<number, string> | null, rows: Int32Array): void {
  chunk.setColumnValues(
    TEXT_COLUMN,
    Array.from(rows, (row) => texts?.get(row) ?? null),
  );
}
