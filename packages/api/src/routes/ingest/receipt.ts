/**
 * The receipt of an ingest request says by itself where the records stand in the log, so that none has to be written down.
 * It is opaque to the caller and tells its own organization alone.
 */
import type { AppendedRange } from '@fieldline/log';
import { isId, isMicros, type Micros } from '@fieldline/model';
import type { PartitionPosition } from '../../dependencies.ts';

export interface ReceiptFacts {
  readonly organizationId: string;
  readonly receivedTime: Micros;
  readonly readingCount: number;
  /** Partition and the position behind the last record. */
  readonly ends: readonly (readonly [partition: number, end: number])[];
}

const ENDS_MAX = 256;

/** What a receipt holds, from the answer of the log. */
export function receiptFacts(
  organizationId: string,
  receivedTime: Micros,
  readingCount: number,
  ranges: readonly AppendedRange[],
): ReceiptFacts {
  const ends = ranges.map(({ partition, firstPosition, count }) => [partition, firstPosition + count] as const);
  return { organizationId, receivedTime, readingCount, ends };
}

export function encodeReceipt({ organizationId, receivedTime, readingCount, ends }: ReceiptFacts): string {
  return Buffer.from(JSON.stringify([organizationId, receivedTime, readingCount, ends])).toString('base64url');
}

/** null where the text is no receipt. */
export function decodeReceipt(text: string): ReceiptFacts | null {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    const [organizationId, receivedTime, readingCount, ends] = value;
    if (typeof organizationId !== 'string' || !isId(organizationId)) return null;
    if (typeof receivedTime !== 'number' || !isMicros(receivedTime)) return null;
    if (typeof readingCount !== 'number' || !Number.isSafeInteger(readingCount)) return null;
    if (!Array.isArray(ends) || ends.length > ENDS_MAX || !ends.every(isEnd)) return null;
    return { organizationId, receivedTime, readingCount, ends };
  } catch {
    // Not base64 or not JSON: it is no receipt.
    return null;
  }
}

function isEnd(end: unknown): end is readonly [number, number] {
  return Array.isArray(end) && end.length === 2 && end.every((part) => Number.isSafeInteger(part) && part >= 0);
}

/** True where the pipeline has dealt with every record up to the receipt's ends. */
export function isProcessed({ ends }: ReceiptFacts, stored: readonly PartitionPosition[]): boolean {
  return ends.every(([partition, end]) => (stored.find((one) => one.partition === partition)?.next ?? 0) >= end);
}
