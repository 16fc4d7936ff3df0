/**
 * A segment file: a header, then chunks. Its name is the position of its first record. This file knows the header, the
 * names and how to read from a segment that may still grow or be deleted.
 *
 *    0 "FLSEGMNT"   8 u32 version   12 u32 salt
 *   16 f64 firstPosition
 *   24 f64 previousEnd      where the records before ended when this file was begun; less than firstPosition after damage
 *   32 f64 timeMaxBefore    latest received time of all records before (−∞: none)
 *                           or +∞: not known
 *   40 f64 createdTime
 *   48 u32 owner            CRC-32 of "<topic>/<partition>"; 0 in files of earlier versions
 *   52 f64 refusedFrom      the file before may hold refused records from this position on: readers stop there; 0 where it does not
 *   60 u32 CRC-32 of bytes 0 to 59
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FieldlineError } from '@fieldline/kit';
import type { Micros, Position } from '@fieldline/model';

export const SEGMENT_HEADER_BYTES = 64;
const MAGIC = 'FLSEGMNT';
const SEGMENT_VERSION = 1;

export interface SegmentHeader {
  readonly salt: number;
  readonly firstPosition: Position;
  readonly previousEnd: Position;
  readonly timeMaxBefore: Micros;
  readonly createdTime: Micros;
  /** Above 0: from this position on, what stands in files before this one was refused, and could not be cut off. */
  readonly refusedFrom: Position;
}

/** The header of the segment that stands at `path`. */
export function encodeSegmentHeader(header: SegmentHeader, path: string): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(SEGMENT_VERSION, 8);
  bytes.writeUInt32LE(header.salt, 12);
  bytes.writeDoubleLE(header.firstPosition, 16);
  bytes.writeDoubleLE(header.previousEnd, 24);
  bytes.writeDoubleLE(header.timeMaxBefore, 32);
  bytes.writeDoubleLE(header.createdTime, 40);
  bytes.writeUInt32LE(ownerOf(path), 48);
  bytes.writeDoubleLE(header.refusedFrom, 52);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/**
 * The header; null where it is damaged, 'misplaced' where it is intact and belongs to another segment or partition than the path
 * says: then nothing in the file is what readers look for here. Throws FORMAT_TOO_NEW.
 */
export function decodeSegmentHeader(bytes: Buffer, path: string): SegmentHeader | 'misplaced' | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return null;
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return null;
  const version = bytes.readUInt32LE(8);
  if (version > SEGMENT_VERSION) {
    const sentence = `log ${path} has segment format ${version}, this program knows up to ${SEGMENT_VERSION}; start the newer version`;
    throw new FieldlineError('FORMAT_TOO_NEW', sentence, { details: { path, version } });
  }
  const owner = bytes.readUInt32LE(48);
  const isOwn = (owner === 0 || owner === ownerOf(path)) && bytes.readDoubleLE(16) === firstPositionOf(path);
  if (!isOwn) return 'misplaced';
  return {
    salt: bytes.readUInt32LE(12),
    firstPosition: bytes.readDoubleLE(16),
    previousEnd: bytes.readDoubleLE(24),
    timeMaxBefore: bytes.readDoubleLE(32),
    createdTime: bytes.readDoubleLE(40),
    refusedFrom: bytes.readDoubleLE(52),
  };
}

export function segmentPath(folder: string, first: Position): string {
  return join(folder, `${String(first).padStart(16, '0')}.seg`);
}

function firstPositionOf(path: string): Position {
  return Number(basename(path, '.seg'));
}

/** Tells partitions apart by the names of their folders: `<topic>/<partition>`. */
function ownerOf(path: string): number {
  const folder = dirname(path);
  return crc32(`${basename(dirname(folder))}/${basename(folder)}`);
}

/** First positions of the segments in a folder, ascending. */
export async function listSegments(folder: string): Promise<Position[]> {
  const names = await readdir(folder);
  const firsts = names.filter((name) => /^\d{16}\.seg$/.test(name)).map((name) => Number(name.slice(0, 16)));
  return firsts.sort((a, b) => a - b);
}

/** Reads up to `byteLength` bytes into memory of their own (fewer only at the end of the file), aligned for columns. */
export async function readBytes(handle: FileHandle, fileOffset: number, byteLength: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, byteLength));
  let length = 0;
  while (length < byteLength) {
    const { bytesRead } = await handle.read(buffer, length, byteLength - length, fileOffset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** Reads of small neighbouring pieces, served from one larger read. */
export class FileWindow {
  readonly #handle: FileHandle;
  readonly #windowBytes: number;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle, windowBytes: number) {
    this.#handle = handle;
    this.#windowBytes = windowBytes;
  }

  /** These bytes of the file; fewer only at its end. Valid until the next call. */
  async view(fileOffset: number, byteLength: number): Promise<Buffer> {
    const at = fileOffset - this.#start;
    if (at < 0 || at + byteLength > this.#bytes.length) {
      this.#bytes = await readBytes(this.#handle, fileOffset, Math.max(byteLength, this.#windowBytes));
      this.#start = fileOffset;
      return this.#bytes.subarray(0, byteLength);
    }
    return this.#bytes.subarray(at, at + byteLength);
  }
}

/** Opens a segment for reading, does something with it and closes it. */
export async function withSegment<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, 'r');
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}
