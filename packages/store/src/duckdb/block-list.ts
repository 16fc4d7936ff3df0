/**
 * Which block stands where in the database file, written down beside it after each checkpoint. DuckDB's checksum of a block is the
 * XOR of those of its 8-byte words: it does not see two pages exchanged within a block, nor a page of equal words that became
 * zeros, nor a block that was written to another's place. Those would be served as truth.
 *
 *   database   4096 bytes | two headers of 4096 bytes | blocks                          (little-endian)
 *   header     u64 checksum | u64 iteration | i64 tables | i64 free list | u64 block count | u64 bytes of a block
 *   block      u64 checksum | content
 *   list       "FLBLOCKS" | u32 version | u32 count | u64 iteration | count × entry | the database's first 12288 bytes | u32 CRC-32
 *   entry      u32 block | u32 kind | u64 DuckDB's checksum | u32 CRC-32 of the block | u32 zero
 *
 * With the copy of its headers a database of which only they are damaged is opened again. Version 1 had none.
 */
import { copyFile, type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { DuckDBConnection } from '@duckdb/node-api';
import { openDiskFile, replaceFile } from '@fieldline/kit';
import { quote } from './session.ts';

const PAGE = 4096;
const HEADERS = [PAGE, 2 * PAGE];
const BLOCKS_AT = 3 * PAGE;
const BLOCK_BYTES_MIN = 16_384;
const LIST_MAGIC = 'FLBLOCKS';
const LIST_VERSION = 2;
const BLOCKS_AT_ONCE = 8;
const LIST_HEADER_BYTES = 24;
const ENTRY_BYTES = 24;
const DATA = 0;
/** Holds descriptions of tables. DuckDB may write it anew in its place during a checkpoint, before that one counts. */
const METADATA = 1;

export interface Misplaced {
  /** In words: the block or header. */
  readonly place: string;
  readonly byteOffset: number;
  readonly meaning: string;
  /** The block; null where the whole database is meant. */
  readonly block: number | null;
  /** It describes tables: without it nothing can be told of the others. */
  readonly isMetadata: boolean;
}

export type BlockCheck = 'unknown' | 'damaged list' | readonly Misplaced[];

/** Compares the database with its list; 'unknown' where there is none, or a later checkpoint than it knows. */
export async function checkBlocks(path: string): Promise<BlockCheck> {
  const list = await readList(path);
  if (list === undefined) return 'unknown';
  if (list === null) return 'damaged list';
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return 'unknown';
  try {
    const header = await newestHeader(handle);
    if (header === null || header.iteration > list.iteration) return 'unknown';
    if (header.iteration < list.iteration) {
      const meaning = `it is older than the list of its blocks (checkpoint ${header.iteration} instead of ${list.iteration}): what was written last is missing, or this is another database (from a backup it is restored with its own list, ${listPath(path)})`;
      return [{ place: 'header', byteOffset: PAGE, meaning, block: null, isMetadata: true }];
    }
    // A checkpoint that was cut off leaves a log behind, and perhaps new metadata.
    const isSettled = ((await stat(`${path}.wal`).catch(() => null))?.size ?? 0) === 0;
    return await compare(handle, list.entries, header.blockBytes, isSettled);
  } finally {
    await handle.close();
  }
}

/** Writes the list of a database that this connection has open, right after a checkpoint. Durable when it resolves. */
export async function writeBlockList(path: string, connection: DuckDBConnection): Promise<void> {
  const handle = await open(path, 'r');
  try {
    const header = await newestHeader(handle);
    if (header === null) return;
    const entries = await describe(handle, header, await usedBlocks(connection), await previousList(path, header));
    const headers = Buffer.alloc(BLOCKS_AT);
    await handle.read(headers, 0, BLOCKS_AT, 0);
    // A checkpoint meanwhile: whoever made it writes the list.
    if ((await newestHeader(handle))?.iteration !== header.iteration) return;
    await replaceFile(listPath(path), [encodeList({ iteration: header.iteration, entries, headers })]);
  } finally {
    await handle.close();
  }
}

/** True where the list tells other headers than the database has. */
export async function hasOtherHeaders(path: string): Promise<boolean> {
  const headers = (await readList(path))?.headers ?? null;
  const handle = headers === null ? null : await open(path, 'r').catch(() => null);
  if (headers === null || handle === null) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(BLOCKS_AT), 0, BLOCKS_AT, 0);
    return bytesRead === BLOCKS_AT && !buffer.equals(headers);
  } finally {
    await handle.close();
  }
}

/**
 * Copies the database, with its list and its write-ahead log, and gives the copy the headers of the list. False where there is no
 * list with headers, or the blocks are not those that it knows: then DuckDB must not read the copy.
 */
export async function copyWithHeaders(path: string, to: string): Promise<boolean> {
  const headers = (await readList(path))?.headers ?? null;
  if (headers === null) return false;
  await copyFile(path, to);
  await copyFile(listPath(path), listPath(to));
  await copyFile(`${path}.wal`, `${to}.wal`).catch(() => {}); // there is none after a clean close
  const file = await openDiskFile(to, 'existing');
  try {
    await file.write([headers], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  const check = await checkBlocks(to);
  return typeof check !== 'string' && check.every(({ block, isMetadata }) => block !== null && !isMetadata);
}

/** Tables that have something in one of these blocks, or of which that cannot be told. */
export async function tablesIn(connection: DuckDBConnection, blocks: readonly number[]): Promise<Set<string>> {
  const wanted = new Set(blocks);
  const found = new Set<string>();
  for (const table of await tableNames(connection)) {
    const blocks = await blocksOf(connection, [table]).catch(() => null); // what describes the table is damaged
    if (blocks === null || blocks.some((block) => wanted.has(block))) found.add(table);
  }
  return found;
}

interface UsedBlock {
  readonly block: number;
  readonly kind: number;
}

interface Entry extends UsedBlock {
  /** DuckDB's own. */
  readonly checksum: bigint;
  readonly crc: number;
}

/** The entries of the checkpoint before this one. */
async function previousList(path: string, { iteration }: DatabaseHeader): Promise<Map<number, Entry>> {
  const list = await readList(path);
  if (list == null || list.iteration + 1n !== iteration) return new Map();
  return new Map(list.entries.map((entry) => [entry.block, entry]));
}

/** Only what is new is read: DuckDB writes no block again that the checkpoint before this one has used, but for metadata. */
async function describe(
  handle: FileHandle,
  { blockBytes }: DatabaseHeader,
  used: readonly UsedBlock[],
  before: ReadonlyMap<number, Entry>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const { block, kind } of used) {
    const known = before.get(block);
    if (kind === DATA && known?.kind === DATA && (await checksumAt(handle, block, blockBytes)) === known.checksum) {
      entries.push(known);
      continue;
    }
    const sums = await sumsAt(handle, block, blockBytes);
    if (sums !== null) entries.push({ block, kind, ...sums });
  }
  return entries;
}

async function compare(
  handle: FileHandle,
  entries: readonly Entry[],
  blockBytes: number,
  isSettled: boolean,
): Promise<Misplaced[]> {
  const misplaced: Misplaced[] = [];
  const checked = entries.filter(({ kind }) => kind !== METADATA || isSettled);
  for (let first = 0; first < checked.length; first += BLOCKS_AT_ONCE) {
    const group = checked.slice(first, first + BLOCKS_AT_ONCE);
    const sums = await Promise.all(group.map(({ block }) => sumsAt(handle, block, blockBytes)));
    for (const [index, { block, kind, crc }] of group.entries()) {
      if (sums[index]?.crc === crc) continue;
      const meaning = 'what stands there is not what was written there last';
      const byteOffset = BLOCKS_AT + block * blockBytes;
      misplaced.push({ place: `block ${block}`, byteOffset, meaning, block, isMetadata: kind === METADATA });
    }
  }
  return misplaced;
}

async function usedBlocks(connection: DuckDBConnection): Promise<UsedBlock[]> {
  const data = new Set(await blocksOf(connection, await tableNames(connection)));
  const rows = await (await connection.run('SELECT block_id FROM pragma_metadata_info()')).getRows();
  const metadata = rows.map(([id]) => Number(id)).filter((block) => !data.has(block));
  return [
    ...[...data].map((block) => ({ block, kind: DATA })),
    ...metadata.map((block) => ({ block, kind: METADATA })),
  ].sort((a, b) => a.block - b.block);
}

async function tableNames(connection: DuckDBConnection): Promise<string[]> {
  const rows = await (await connection.run('SELECT table_name FROM duckdb_tables() WHERE NOT temporary')).getRows();
  return rows.map(([name]) => String(name));
}

/** Blocks on disk that hold columns of these tables. */
async function blocksOf(connection: DuckDBConnection, tables: readonly string[]): Promise<number[]> {
  if (tables.length === 0) return [];
  const infos = tables.map(
    (table) => `SELECT block_id, additional_block_ids FROM pragma_storage_info(${quote(table)}) WHERE persistent`,
  );
  const sql = `SELECT DISTINCT unnest(list_append(additional_block_ids, block_id)) AS block FROM (${infos.join(' UNION ALL ')})`;
  const rows = await (await connection.run(`SELECT block FROM (${sql}) WHERE block >= 0`)).getRows();
  return rows.map(([block]) => Number(block));
}

interface DatabaseHeader {
  readonly iteration: bigint;
  readonly blockBytes: number;
}

/** The header that counts: the one with the higher iteration. null where neither can be read. */
async function newestHeader(handle: FileHandle): Promise<DatabaseHeader | null> {
  let newest: DatabaseHeader | null = null;
  for (const at of HEADERS) {
    const bytes = Buffer.alloc(48);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
    const blockBytes = Number(bytes.readBigUInt64LE(40));
    if (bytesRead < bytes.length || blockBytes < BLOCK_BYTES_MIN) continue;
    const iteration = bytes.readBigUInt64LE(8);
    if (newest === null || iteration > newest.iteration) newest = { iteration, blockBytes };
  }
  return newest;
}

async function checksumAt(handle: FileHandle, block: number, blockBytes: number): Promise<bigint | null> {
  const bytes = Buffer.alloc(8);
  const { bytesRead } = await handle.read(bytes, 0, 8, BLOCKS_AT + block * blockBytes);
  return bytesRead === 8 ? bytes.readBigUInt64LE() : null;
}

/** null where the file ends before. */
async function sumsAt(
  handle: FileHandle,
  block: number,
  blockBytes: number,
): Promise<Omit<Entry, keyof UsedBlock> | null> {
  const bytes = Buffer.allocUnsafe(blockBytes);
  const { bytesRead } = await handle.read(bytes, 0, blockBytes, BLOCKS_AT + block * blockBytes);
  return bytesRead === blockBytes ? { checksum: bytes.readBigUInt64LE(), crc: crc32(bytes) } : null;
}

interface BlockList {
  readonly iteration: bigint;
  readonly entries: readonly Entry[];
  /** What stood before the blocks; null where an earlier version wrote the list. */
  readonly headers: Buffer | null;
}

function encodeList({ iteration, entries, headers }: BlockList & { readonly headers: Buffer }): Buffer {
  const bytes = Buffer.alloc(LIST_HEADER_BYTES + entries.length * ENTRY_BYTES + headers.length + 4);
  bytes.write(LIST_MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(LIST_VERSION, 8);
  bytes.writeUInt32LE(entries.length, 12);
  bytes.writeBigUInt64LE(iteration, 16);
  let at = LIST_HEADER_BYTES;
  for (const { block, kind, checksum, crc } of entries) {
    bytes.writeUInt32LE(block, at);
    bytes.writeUInt32LE(kind, at + 4);
    bytes.writeBigUInt64LE(checksum, at + 8);
    bytes.writeUInt32LE(crc, at + 16);
    at += ENTRY_BYTES;
  }
  at += headers.copy(bytes, at);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, at)), at);
  return bytes;
}

/** The list beside the database; undefined where there is none, null where it cannot be used. */
async function readList(path: string): Promise<BlockList | null | undefined> {
  const bytes = await readFile(listPath(path)).catch(() => undefined);
  return bytes && decodeList(bytes);
}

/** null where it is damaged, or of a version that is not known here. */
function decodeList(bytes: Buffer): BlockList | null {
  const end = bytes.length - 4;
  if (end < LIST_HEADER_BYTES || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return null;
  const version = bytes.readUInt32LE(8);
  if (bytes.toString('latin1', 0, 8) !== LIST_MAGIC || version > LIST_VERSION) return null;
  const entriesEnd = LIST_HEADER_BYTES + bytes.readUInt32LE(12) * ENTRY_BYTES;
  const entries: Entry[] = [];
  for (let at = LIST_HEADER_BYTES; at < entriesEnd; at += ENTRY_BYTES) {
    entries.push({
      block: bytes.readUInt32LE(at),
      kind: bytes.readUInt32LE(at + 4),
      checksum: bytes.readBigUInt64LE(at + 8),
      crc: bytes.readUInt32LE(at + 16),
    });
  }
  const headers = version === 1 ? null : bytes.subarray(entriesEnd, entriesEnd + BLOCKS_AT);
  return { iteration: bytes.readBigUInt64LE(16), entries, headers };
}

function listPath(path: string): string {
  return `${path}.blocks`;
}
