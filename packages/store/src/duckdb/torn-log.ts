/**
 * The end of a write-ahead log that a power cut has torn: the file has its length, and pages of the last write are missing. DuckDB
 * takes a log that is cut off for torn, and one with a wrong checksum for damaged, and refuses it; here the two are told apart.
 * Only the last transaction can be torn, since each is flushed before the next; where whole transactions follow the bad entry,
 * it is damage, and nothing is done.
 */
import { open, readFile } from 'node:fs/promises';
import { messageOf } from '@fieldline/kit';

/** The entry that ends each transaction: u64 length 5 | u64 checksum | the five bytes of type 100, "flush". */
const TRANSACTION_END = Buffer.from('0500000000000000e7fe7d722fed3d5e640064ffff', 'hex');
/** How DuckDB names the entry that it stumbled over. */
const BAD_ENTRY = /Corrupt WAL file: entry at byte position (\d+)/;

export interface TornEnd {
  /** Where it was cut off, and how much. */
  readonly fileOffset: number;
  readonly byteLength: number;
}

/** Cuts off a torn end, if that is why the log could not be replayed; null (and nothing is changed) where it is not. */
export async function cutTornEnd(logPath: string, error: unknown): Promise<TornEnd | null> {
  const place = BAD_ENTRY.exec(messageOf(error))?.[1];
  if (place === undefined) return null;
  const bytes = await readFile(logPath);
  const fileOffset = beginOfLastTransaction(bytes, Number(place));
  if (fileOffset === null) return null;
  const file = await open(logPath, 'r+');
  try {
    await file.truncate(fileOffset);
    await file.sync();
  } finally {
    await file.close();
  }
  return { fileOffset, byteLength: bytes.length - fileOffset };
}

/** Where the transaction with the bad entry begins, if it is the last one; null where another one ends behind it. */
function beginOfLastTransaction(log: Buffer, badEntry: number): number | null {
  const before = log.lastIndexOf(TRANSACTION_END, badEntry - TRANSACTION_END.length);
  const end = log.indexOf(TRANSACTION_END, badEntry);
  const isLast = end === -1 || end + TRANSACTION_END.length === log.length;
  // Without any end of a transaction before it, this may be a log of a form that is not known here.
  return isLast && before !== -1 ? before + TRANSACTION_END.length : null;
}
