/**
 * DuckDB's write-ahead log as far as the doctor needs it. DuckDB checks each entry it replays, but takes an entry that reaches
 * beyond the end of the file for a torn one, and leaves it and all that follows out without a word.
 *
 *   header  fields of DuckDB's serializer, ended by FF FF
 *   entry   u64 length  u64 checksum  bytes                (little-endian)
 */
import { open } from 'node:fs/promises';
import type { Finding } from '@fieldline/kit';

const HEADER_START = Buffer.from([0x64, 0x00, 0x62, 0x65, 0x00]);
const HEADER_BYTES_MAX = 128;
const ENTRY_HEADER_BYTES = 16;

/** What is not replayed at its end, or nothing where the file is not there. */
export async function inspectWriteAheadLog(path: string): Promise<Finding[]> {
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return [];
  try {
    const { size } = await handle.stat();
    const header = Buffer.alloc(Math.min(HEADER_BYTES_MAX, size));
    await handle.read(header, 0, header.length, 0);
    if (size === 0) return [];
    if (!header.subarray(0, HEADER_START.length).equals(HEADER_START)) return [finding(path, 0, size)];
    const lengths = Buffer.alloc(8);
    const next = async (at: number): Promise<number | null> => {
      if (at + ENTRY_HEADER_BYTES > size) return null;
      await handle.read(lengths, 0, 8, at);
      const end = at + ENTRY_HEADER_BYTES + Number(lengths.readBigUInt64LE());
      return end <= size ? end : null;
    };
    const begins = headerEnds(header);
    // The terminator may also occur within the header, in the database's id: the one behind which an entry fits is meant.
    let at = begins[0] ?? 0;
    for (const begin of begins) {
      if ((await next(begin)) === null) continue;
      at = begin;
      break;
    }
    for (let end = await next(at); end !== null; end = await next(at)) at = end;
    return at === size ? [] : [finding(path, at, size)];
  } finally {
    await handle.close();
  }
}

function headerEnds(header: Buffer): number[] {
  const ends: number[] = [];
  for (let at = header.indexOf('ffff', 0, 'hex'); at >= 0; at = header.indexOf('ffff', at + 1, 'hex'))
    ends.push(at + 2);
  return ends;
}

function finding(file: string, at: number, size: number): Finding {
  return {
    file,
    place: `bytes ${at} to ${size - 1}`,
    meaning: 'they are no whole entry: the end was cut off, or damaged there; the store goes on as it was before',
    remedy: 'the next start, or --repair, leaves them out and takes the samples from the log again',
    mend: 'restart',
  };
}
