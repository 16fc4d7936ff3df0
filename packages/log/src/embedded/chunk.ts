/**
 * A chunk: what one append writes into a segment file. Pure. All numbers little-endian, all chunks begin at multiples of 8
 * bytes, so that a reader can view the columns where they stand.
 *
 *    0 u32 magic "FLCK"    4 u16 version   6 u16 headerLength (72)
 *    8 u32 salt           12 u32 bodyLength (padding included)
 *   16 f64 firstPosition  24 f64 timeMin   32 f64 timeMax  (received times; integers up to 2^53)
 *   40 u32 count          44 u32 commonCount   48 u32 originCount   52 u32 textLength
 *   56 u32 payloadLength  60 u32 CRC-32 of the body   64 u32 zero   68 u32 CRC-32 of bytes 0 to 67
 *   72 body: f64 receivedTime[count] | u32 originIndex[count] | u32 payloadEnd[count] | origin table | payloads | padding
 *
 * The salt is drawn at random for each segment file: a device cannot send a payload that would be taken for a chunk when
 * intact chunks are looked for behind damage.
 */
import { endianness } from 'node:os';
import { crc32 } from 'node:zlib';
import type { Micros, Position, RawBatch } from '@fieldline/model';
import type { OriginDecoder, OriginEncoder } from './origin-table.ts';

if (endianness() !== 'LE') throw new Error('the embedded log works on little-endian machines only');

export const CHUNK_HEADER_BYTES = 72;
export const CHUNK_ALIGNMENT = 8;
const MAGIC = 0x4b434c46;
const CHUNK_VERSION = 1;
const PADDING = new Uint8Array(CHUNK_ALIGNMENT);

export interface EncodedChunk {
  readonly buffers: readonly Uint8Array[];
  readonly byteLength: number;
  readonly timeMax: Micros;
}

/** The batch as a chunk; payloads and columns are not copied, so they must not change until they are written. */
export function encodeChunk(
  batch: RawBatch,
  firstPosition: Position,
  salt: number,
  encoder: OriginEncoder,
): EncodedChunk {
  const { count } = batch;
  const table = encoder.encode(batch.origins);
  const payloadLength = batch.payloadEnd[count - 1]!;
  const parts = [
    bytesOf(batch.receivedTime, count),
    bytesOf(batch.originIndex, count),
    bytesOf(batch.payloadEnd, count),
    bytesOf(table.columns, table.columns.length),
    table.texts,
    batch.bytes.subarray(0, payloadLength),
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(PADDING.subarray(0, padded(length) - length));
  const [timeMin, timeMax] = rangeOf(batch.receivedTime, count);
  const header = Buffer.alloc(CHUNK_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(CHUNK_VERSION, 4);
  header.writeUInt16LE(CHUNK_HEADER_BYTES, 6);
  header.writeUInt32LE(salt, 8);
  header.writeUInt32LE(padded(length), 12);
  header.writeDoubleLE(firstPosition, 16);
  header.writeDoubleLE(timeMin, 24);
  header.writeDoubleLE(timeMax, 32);
  header.writeUInt32LE(count, 40);
  header.writeUInt32LE(table.commonCount, 44);
  header.writeUInt32LE(table.originCount, 48);
  header.writeUInt32LE(table.texts.length, 52);
  header.writeUInt32LE(payloadLength, 56);
  header.writeUInt32LE(
    parts.reduce((crc, part) => crc32(part, crc), 0),
    60,
  );
  header.writeUInt32LE(crc32(header.subarray(0, 68)), 68);
  return { buffers: [header, ...parts], byteLength: CHUNK_HEADER_BYTES + padded(length), timeMax };
}

export interface ChunkHeader {
  readonly firstPosition: Position;
  readonly count: number;
  /** Header, body and padding: the next chunk begins so many bytes behind the beginning of this one. */
  readonly byteLength: number;
  readonly timeMin: Micros;
  readonly timeMax: Micros;
  readonly salt: number;
  readonly commonCount: number;
  readonly originCount: number;
  readonly textLength: number;
  readonly payloadLength: number;
  readonly bodyChecksum: number;
}

/** The header at this place; null where none stands there or it is damaged. `salt` null = any. */
export function decodeChunkHeader(bytes: Buffer, at: number, salt: number | null): ChunkHeader | null {
  if (at + CHUNK_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return null;
  if (crc32(bytes.subarray(at, at + 68)) !== bytes.readUInt32LE(at + 68)) return null;
  if (bytes.readUInt16LE(at + 4) !== CHUNK_VERSION || bytes.readUInt16LE(at + 6) !== CHUNK_HEADER_BYTES) return null;
  const header: ChunkHeader = {
    firstPosition: bytes.readDoubleLE(at + 16),
    count: bytes.readUInt32LE(at + 40),
    byteLength: CHUNK_HEADER_BYTES + bytes.readUInt32LE(at + 12),
    timeMin: bytes.readDoubleLE(at + 24),
    timeMax: bytes.readDoubleLE(at + 32),
    salt: bytes.readUInt32LE(at + 8),
    commonCount: bytes.readUInt32LE(at + 44),
    originCount: bytes.readUInt32LE(at + 48),
    textLength: bytes.readUInt32LE(at + 52),
    payloadLength: bytes.readUInt32LE(at + 56),
    bodyChecksum: bytes.readUInt32LE(at + 60),
  };
  return salt === null || header.salt === salt ? header : null;
}

/** True where the body that follows this header is intact. */
export function isBodyIntact(bytes: Buffer, at: number, header: ChunkHeader): boolean {
  const end = at + header.byteLength;
  return end <= bytes.length && crc32(bytes.subarray(at + CHUNK_HEADER_BYTES, end)) === header.bodyChecksum;
}

/** The records of an intact chunk as views into `bytes`; `bytes.byteOffset + at` is a multiple of 8. */
export function decodeChunk(bytes: Buffer, at: number, header: ChunkHeader, decoder: OriginDecoder): RawBatch {
  const { count, commonCount, originCount } = header;
  let place = bytes.byteOffset + at + CHUNK_HEADER_BYTES;
  const take = (byteLength: number): number => {
    place += byteLength;
    return place - byteLength;
  };
  const receivedTime = new Float64Array(bytes.buffer, take(8 * count), count);
  const originIndex = new Uint32Array(bytes.buffer, take(4 * count), count);
  const payloadEnd = new Uint32Array(bytes.buffer, take(4 * count), count);
  const columnCount = commonCount + 2 * originCount;
  const columns = new Uint32Array(bytes.buffer, take(4 * columnCount), columnCount);
  const texts = Buffer.from(bytes.buffer, take(header.textLength), header.textLength);
  const payloads = new Uint8Array(bytes.buffer, take(header.payloadLength), header.payloadLength);
  const origins = decoder.decode(commonCount, originCount, columns, texts);
  return { count, origins, originIndex, receivedTime, payloadEnd, bytes: payloads };
}

function bytesOf(column: Float64Array | Uint32Array, count: number): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, count * column.BYTES_PER_ELEMENT);
}

function padded(byteLength: number): number {
  return Math.ceil(byteLength / CHUNK_ALIGNMENT) * CHUNK_ALIGNMENT;
}

function rangeOf(times: Float64Array, count: number): [Micros, Micros] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const time = times[i]!;
    if (time < least) least = time;
    if (time > most) most = time;
  }
  return [least, most];
}
