/**
 * The bytes of a journal, and how an intact record is told from a damaged one. Pure.
 *
 *   file    "FLJOURNL" u32 version  u32 CRC-32 of the 12 bytes before | record | record | …
 *   record  u32 length  u32 CRC-32 of length and payload | payload                (all little-endian)
 */
import { crc32 } from 'node:zlib';
import { FieldlineError } from './errors.ts';

export const JOURNAL_VERSION = 1;
export const JOURNAL_HEADER_BYTES = 16;
export const RECORD_HEADER_BYTES = 8;
const MAGIC = 'FLJOURNL';

/** How many bytes may be checked while looking for the next intact record behind damage, so that opening ends. */
const RESYNC_BYTES_MAX = 2 ** 30;

export function journalHeader(version = JOURNAL_VERSION): Uint8Array {
  const header = Buffer.alloc(JOURNAL_HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

/** A record as it stands in the file; the payload is copied. */
export function frameRecord(payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(RECORD_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload, crc32(frame.subarray(0, 4))), 4);
  frame.set(payload, RECORD_HEADER_BYTES);
  return frame;
}

export interface JournalScan {
  readonly records: Uint8Array[];
  /** Where the last intact record ends. */
  readonly intactEnd: number;
  /** Damage in words; empty also where merely the end is torn. */
  readonly damage: string[];
}

/** Reads the whole file's bytes. Rejects a newer version with FORMAT_TOO_NEW. */
export function scanJournal(bytes: Buffer, path: string): JournalScan {
  const damage: string[] = [];
  const headerProblem = checkHeader(bytes, path);
  if (headerProblem !== null) damage.push(`${path} at byte 0: ${headerProblem}`);
  const records: Uint8Array[] = [];
  const budget = { bytes: RESYNC_BYTES_MAX };
  let at = JOURNAL_HEADER_BYTES;
  let intactEnd = Math.min(at, bytes.length);
  while (at < bytes.length) {
    const end = recordEnd(bytes, at);
    if (end !== null) {
      records.push(bytes.subarray(at + RECORD_HEADER_BYTES, end));
      at = end;
      intactEnd = end;
      continue;
    }
    const next = nextRecord(bytes, at, budget);
    const repaired = withWrongLength(bytes, at, next ?? bytes.length);
    if (repaired !== null) {
      damage.push(`${path} at byte ${at}: the length of a record is wrong; its content is intact and was kept`);
      records.push(repaired);
    } else if (next !== null || budget.bytes <= 0 || (isComplete(bytes, at) && !isZero(bytes, at))) {
      damage.push(`${path} at byte ${at}: ${(next ?? bytes.length) - at} bytes are damaged; they were passed over`);
    }
    if (next === null) break;
    at = next;
  }
  return { records, intactEnd, damage };
}

function checkHeader(bytes: Buffer, path: string): string | null {
  if (bytes.length < JOURNAL_HEADER_BYTES) return `the file has ${bytes.length} bytes, fewer than its header`;
  if (crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return 'the header is damaged';
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return 'this is not a journal';
  const version = bytes.readUInt32LE(8);
  if (version > JOURNAL_VERSION) {
    throw new FieldlineError(
      'FORMAT_TOO_NEW',
      `${path} has journal format ${version}, this program knows up to ${JOURNAL_VERSION}; start the newer version`,
      { details: { path, version } },
    );
  }
  return null;
}

/** Where the record at this offset ends, if it is intact; null where it is not. */
function recordEnd(bytes: Buffer, at: number): number | null {
  if (!isComplete(bytes, at)) return null;
  const end = at + RECORD_HEADER_BYTES + bytes.readUInt32LE(at);
  return checksumOf(bytes, at, bytes.subarray(at, at + 4), end) === bytes.readUInt32LE(at + 4) ? end : null;
}

/** True where the file is as long as the record at this offset says. A torn record is not; a damaged one mostly is. */
function isComplete(bytes: Buffer, at: number): boolean {
  if (at + RECORD_HEADER_BYTES > bytes.length) return false;
  return at + RECORD_HEADER_BYTES + bytes.readUInt32LE(at) <= bytes.length;
}

/** True where only zeros follow: a file system may leave them where an append was cut off by a power cut. */
function isZero(bytes: Buffer, at: number): boolean {
  return bytes.subarray(at).every((byte) => byte === 0);
}

function checksumOf(bytes: Buffer, at: number, length: Uint8Array, end: number): number {
  return crc32(bytes.subarray(at + RECORD_HEADER_BYTES, end), crc32(length));
}

/** The nearest intact record behind a damaged one. Its length is not believed: it may be what was damaged. */
function nextRecord(bytes: Buffer, damagedAt: number, budget: { bytes: number }): number | null {
  for (let at = damagedAt + 1; at + RECORD_HEADER_BYTES <= bytes.length && budget.bytes > 0; at += 1) {
    if (!isComplete(bytes, at)) continue;
    budget.bytes -= bytes.readUInt32LE(at) + 64;
    if (recordEnd(bytes, at) !== null) return at;
  }
  return null;
}

/** The payload, if the checksum is right for a record that reaches up to `end`: then only its length was damaged. */
function withWrongLength(bytes: Buffer, at: number, end: number): Uint8Array | null {
  if (at + RECORD_HEADER_BYTES > end) return null;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(end - at - RECORD_HEADER_BYTES);
  const matches = checksumOf(bytes, at, length, end) === bytes.readUInt32LE(at + 4);
  return matches ? bytes.subarray(at + RECORD_HEADER_BYTES, end) : null;
}
