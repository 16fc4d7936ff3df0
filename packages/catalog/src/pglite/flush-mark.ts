/**
 * How far the write-ahead log was flushed, in a file of its own within the database folder: written after each flush, so that it
 * never says more than is on disk, and flushed by nobody, so that it costs nothing. A log that ends before it has lost changes that
 * were acknowledged; one that ends torn behind it has lost nothing.
 *
 *   flushed.mark   u64 address | u32 CRC-32 of the eight bytes before
 */
import { constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export const MARK_FILE = 'flushed.mark';
const PAGE = 8192;
const SEGMENT = 16 * 1024 * 1024;
const LONG_HEADER = 40;
const SHORT_HEADER = 24;
/** Timeline, and the number of the segment in two parts. */
const SEGMENT_FILE = /\/pg_wal\/[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})$/;

export class FlushMark {
  readonly #path: string;
  #descriptor: number | null = null;
  #written = 0;
  #marked = 0;

  constructor(folder: string) {
    this.#path = join(folder, MARK_FILE);
  }

  /** To be called with each write of a file. */
  noteWrite(path: string, bytes: Int8Array, fileOffset: number): void {
    const segment = SEGMENT_FILE.exec(path);
    if (segment === null) return;
    // Behind its last record a page is zero.
    let length = bytes.length;
    while (length > 0 && bytes[length - 1] === 0) length -= 1;
    if (length === 0) return;
    const start = (Number.parseInt(segment[1]!, 16) * 256 + Number.parseInt(segment[2]!, 16)) * SEGMENT;
    const end = start + fileOffset + length;
    const inPage = end % PAGE;
    const header = (end - inPage) % SEGMENT === 0 ? LONG_HEADER : SHORT_HEADER;
    // A page that has nothing but its header.
    this.#written = Math.max(this.#written, inPage > 0 && inPage <= header ? end - inPage : end);
  }

  /** To be called after each flush of a file. */
  noteFlush(path: string): void {
    if (this.#written === this.#marked || !SEGMENT_FILE.test(path)) return;
    const bytes = Buffer.alloc(12);
    bytes.writeBigUInt64LE(BigInt(this.#written), 0);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8);
    // Not 'w': a mark is never taken away, not even for a moment.
    this.#descriptor ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    writeSync(this.#descriptor, bytes, 0, bytes.length, 0);
    this.#marked = this.#written;
  }
}

/** The address that was flushed last; null where there is no mark, 'damaged' where it is not what was written. */
export function readFlushMark(folder: string): number | null | 'damaged' {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder, MARK_FILE));
  } catch {
    // Made by a version that kept none.
    return null;
  }
  if (bytes.length !== 12 || bytes.readUInt32LE(8) !== crc32(bytes.subarray(0, 8))) return 'damaged';
  return Number(bytes.readBigUInt64LE(0));
}
