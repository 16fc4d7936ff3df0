/**
 * The end of PostgreSQL's write-ahead log. After a crash PostgreSQL replays it from the last checkpoint up to the first record
 * that is not whole, and takes that for the end: damage in the middle would take all later changes away without a word.
 *
 *   page    u16 magic | u16 info | u32 timeline | u64 own address | u32 rest of a record | pad        (24 bytes; 40 at a file's begin)
 *   record  u32 length | u32 xid | u64 previous | u8 info | u8 manager | pad | u32 CRC-32C | data      (begins at multiples of 8)
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readFlushMark } from './flush-mark.ts';

const PAGE = 8192;
const SEGMENT = 16 * 1024 * 1024;
const LONG_HEADER = 40;
const SHORT_HEADER = 24;
const RECORD_HEADER = 24;
const RECORD_BYTES_MAX = 2 ** 28;
/** In pg_control: address at which a replay begins, and its timeline. */
const REDO_AT = 40;
const TIMELINE_AT = 48;

export interface LogEnd {
  /** True where changes that were acknowledged are lost, false where none is; null where that is not known. */
  readonly isLoss: boolean | null;
  readonly file: string;
  readonly place: string;
  readonly meaning: string;
}

const MEANINGS: Readonly<Record<string, string>> = {
  true: 'a record that was flushed to the disk is damaged or missing: a start would go back to the changes before it',
  false: 'the end is torn, as a power cut leaves it: what was written there had not been acknowledged',
  null: 'a record is damaged, or was cut off by a power cut: a start goes back to the changes before it, and later ones are lost',
};

/** What does not fit behind the last whole record; null where it ends as it should, or cannot be followed at all. */
export async function inspectWriteAheadLog(folder: string): Promise<LogEnd | null> {
  const control = await readFile(join(folder, 'global/pg_control')).catch(() => Buffer.alloc(0));
  if (control.length < 64) return null;
  const log = new WriteAheadLog(folder, control.readUInt32LE(TIMELINE_AT));
  let at = Number(control.readBigUInt64LE(REDO_AT));
  for (let next = await log.recordEnd(at); next !== null; next = await log.recordEnd(at)) at = next;
  const mark = readFlushMark(folder);
  const isLoss = typeof mark === 'number' ? at < mark : null;
  if (isLoss !== true && (await log.isEmptyFrom(at))) return null;
  return { isLoss, file: log.pathOf(at), place: `byte ${at % SEGMENT}`, meaning: MEANINGS[String(isLoss)]! };
}

class WriteAheadLog {
  readonly #folder: string;
  readonly #timeline: number;
  readonly #segments = new Map<number, Buffer>();

  constructor(folder: string, timeline: number) {
    this.#folder = folder;
    this.#timeline = timeline;
  }

  pathOf(at: number): string {
    const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
    const segment = Math.floor(at / SEGMENT);
    return join(this.#folder, 'pg_wal', `${hex(this.#timeline)}${hex(Math.floor(segment / 256))}${hex(segment % 256)}`);
  }

  /** Where the next record begins, if the one at this address is whole. */
  async recordEnd(at: number): Promise<number | null> {
    const header = await this.#take(at, RECORD_HEADER);
    if (header === null) return null;
    const length = header.bytes.readUInt32LE(0);
    if (length < RECORD_HEADER || length > RECORD_BYTES_MAX) return null;
    const whole = await this.#take(at, length);
    if (whole === null) return null;
    const data = crc32c(whole.bytes.subarray(RECORD_HEADER), 0xffffffff);
    const sum = (crc32c(whole.bytes.subarray(0, 20), data) ^ 0xffffffff) >>> 0;
    return sum === whole.bytes.readUInt32LE(20) ? Math.ceil(whole.end / 8) * 8 : null;
  }

  /** True where only zeros follow in this page, and the next page was never written. */
  async isEmptyFrom(at: number): Promise<boolean> {
    const segment = await this.#segment(at);
    if (segment === null) return true;
    const from = at % SEGMENT;
    const pageEnd = Math.ceil((from + 1) / PAGE) * PAGE;
    if (this.#isOwn(segment, at - (at % PAGE)) && segment.subarray(from, pageEnd).some((byte) => byte !== 0))
      return false;
    const next = at - (at % PAGE) + PAGE;
    const nextSegment = await this.#segment(next);
    return nextSegment === null || !this.#isOwn(nextSegment, next);
  }

  /** Bytes of the record stream from an address on, without the headers of pages; null where they are not there. */
  async #take(at: number, byteLength: number): Promise<{ bytes: Buffer; end: number } | null> {
    const parts: Buffer[] = [];
    let missing = byteLength;
    let place = at;
    while (missing > 0) {
      const segment = await this.#segment(place);
      const page = place - (place % PAGE);
      if (segment === null || !this.#isOwn(segment, page)) return null;
      const header = page % SEGMENT === 0 ? LONG_HEADER : SHORT_HEADER;
      if (place === page) place += header;
      const count = Math.min(missing, page + PAGE - place);
      parts.push(segment.subarray(place % SEGMENT, (place % SEGMENT) + count));
      place += count;
      missing -= count;
    }
    return { bytes: Buffer.concat(parts), end: place };
  }

  /** A file that is used again keeps old pages behind the end: those say another address. */
  #isOwn(segment: Buffer, page: number): boolean {
    const at = page % SEGMENT;
    return at + PAGE <= segment.length && Number(segment.readBigUInt64LE(at + 8)) === page;
  }

  async #segment(at: number): Promise<Buffer | null> {
    const number = Math.floor(at / SEGMENT);
    const known = this.#segments.get(number);
    if (known !== undefined) return known;
    const bytes = await readFile(this.pathOf(at)).catch(() => null);
    // Records follow each other: of those before, none is needed any more.
    if (this.#segments.size > 2) this.#segments.clear();
    if (bytes !== null) this.#segments.set(number, bytes);
    return bytes;
  }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function crc32c(bytes: Buffer, before: number): number {
  let sum = before;
  for (let at = 0; at < bytes.length; at++) sum = TABLE[(sum ^ bytes[at]!) & 0xff]! ^ (sum >>> 8);
  return sum >>> 0;
}
