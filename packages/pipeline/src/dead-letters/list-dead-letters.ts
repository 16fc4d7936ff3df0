/**
 * Dead letters of one organisation, newest first, in pages: the topic is read backwards, a span of positions at a time. Of those
 * that a crash has repeated the newest is shown.
 */
import { FieldlineError, isFieldlineError } from '@fieldline/kit';
import type { LoggedBatch, Position } from '@fieldline/model';
import { type DeadLetter, deadLetterAt, sameLetterKey } from './dead-letter.ts';

/** The topic of dead letters, as far as it is read here. */
export interface DeadLetterSource {
  bounds(): Promise<readonly { readonly partition: number; readonly first: Position; readonly next: Position }[]>;
  read(partition: number, from: Position, recordsMax: number): Promise<LoggedBatch | null>;
}

export interface DeadLetterFilter {
  readonly organizationId: string;
  readonly code?: string;
  /** Any of these: id and key of a device. */
  readonly deviceIds?: readonly string[];
}

const SPAN_RECORDS = 500;
/** Records that one call looks through at the most; a page that is not full then goes on with its cursor. */
const LOOKED_THROUGH_MAX = 50_000;
/**
 * How far back from the end of the page before repeats are looked for. What a crash repeats stands as far apart as there were
 * letters in the transactions that it cut off; beyond this distance both are shown.
 */
const REPEATED_WITHIN = 2000;
const CURSOR = /^(\d{1,6})-(\d{1,16})$/;

/** A page of at most `limit`, and the cursor of the next one; null at the oldest end. */
export async function listDeadLetters(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  limit: number,
  cursor?: string,
): Promise<{ items: DeadLetter[]; nextCursor: string | null }> {
  const items: DeadLetter[] = [];
  const seen = await shownBefore(source, filter, cursor);
  let lookedThrough = 0;
  for (const { partition, first, next } of await partitionsFrom(source, cursor)) {
    for (let end = next; end > first; ) {
      const from = Math.max(first, end - SPAN_RECORDS);
      for (const letter of (await readSpan(source, partition, from, end)).reverse()) {
        if (!matches(letter, filter) || seen.has(sameLetterKey(letter))) continue;
        seen.add(sameLetterKey(letter));
        items.push(letter);
        if (items.length === limit) return { items, nextCursor: `${partition}-${letter.position}` };
      }
      lookedThrough += end - from;
      end = from;
      if (lookedThrough >= LOOKED_THROUGH_MAX && end > first) return { items, nextCursor: `${partition}-${end}` };
    }
  }
  return { items, nextCursor: null };
}

/** The letters of a partition, newest first; a span is read when it is asked for. */
export async function* lettersBackwards(
  source: DeadLetterSource,
  { partition, first, next }: { readonly partition: number; readonly first: Position; readonly next: Position },
): AsyncGenerator<DeadLetter> {
  for (let end = next; end > first; end -= SPAN_RECORDS) {
    yield* (await readSpan(source, partition, Math.max(first, end - SPAN_RECORDS), end)).reverse();
  }
}

/** One dead letter by its id; null where there is none (any more). */
export async function findDeadLetter(source: DeadLetterSource, id: string): Promise<DeadLetter | null> {
  const place = placeOf(id);
  if (place === null) return null;
  const { partition, position } = place;
  const bounds = (await source.bounds()).find((candidate) => candidate.partition === partition);
  if (bounds === undefined || position < bounds.first || position >= bounds.next) return null;
  return (await readSpan(source, partition, position, position + 1))[0] ?? null;
}

/** Partitions from the cursor's on; the cursor's own ends before it. */
async function partitionsFrom(
  source: DeadLetterSource,
  cursor: string | undefined,
): Promise<{ partition: number; first: Position; next: Position }[]> {
  const all = [...(await source.bounds())].sort((a, b) => b.partition - a.partition);
  if (cursor === undefined) return all;
  const place = placeOf(cursor);
  if (place === null)
    throw new FieldlineError(
      'BAD_REQUEST',
      `cursor "${cursor.slice(0, 40)}" is not one of this list; leave it out to start anew`,
    );
  const { partition, position } = place;
  return all
    .filter((candidate) => candidate.partition <= partition)
    .map((bounds) => (bounds.partition === partition ? { ...bounds, next: Math.min(bounds.next, position) } : bounds));
}

/** What tells the letters apart that stand just before the cursor, on the pages that were shown already. */
async function shownBefore(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  cursor: string | undefined,
): Promise<Set<string>> {
  const place = cursor === undefined ? null : placeOf(cursor);
  const bounds = place === null ? [] : await source.bounds();
  const own = bounds.find(({ partition }) => partition === place?.partition);
  if (place === null || own === undefined) return new Set();
  const from = Math.max(own.first, place.position);
  const end = Math.min(own.next, from + REPEATED_WITHIN);
  const before = await readSpan(source, place.partition, from, end);
  return new Set(before.filter((letter) => matches(letter, filter)).map(sameLetterKey));
}

/** Partition and position that an id or a cursor names. */
function placeOf(text: string): { partition: number; position: Position } | null {
  const match = CURSOR.exec(text);
  return match === null ? null : { partition: Number(match[1]), position: Number(match[2]) };
}

async function readSpan(
  source: DeadLetterSource,
  partition: number,
  from: Position,
  end: Position,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  for (let at = from; at < end; ) {
    const batch = await readUnlessGone(source, partition, at, end - at);
    if (batch === null || batch.count === 0) break;
    for (let index = 0; index < batch.count && batch.firstPosition + index < end; index++)
      letters.push(deadLetterAt(batch, index));
    at = batch.firstPosition + batch.count;
  }
  return letters;
}

/** Retention may delete the oldest letters while they are listed: then the span begins behind them, if anything is left of it. */
async function readUnlessGone(
  source: DeadLetterSource,
  partition: number,
  from: Position,
  recordsMax: number,
): Promise<LoggedBatch | null> {
  try {
    return await source.read(partition, from, recordsMax);
  } catch (error) {
    if (!isFieldlineError(error, 'LOG_POSITION_GONE')) throw error;
    const first = (await source.bounds()).find((bounds) => bounds.partition === partition)?.first ?? Infinity;
    return first > from && first < from + recordsMax ? source.read(partition, first, from + recordsMax - first) : null;
  }
}

function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return (
    letter.organizationId === filter.organizationId &&
    (filter.code === undefined || letter.code === filter.code) &&
    (filter.deviceIds === undefined || filter.deviceIds.includes(letter.origin.deviceId))
  );
}
