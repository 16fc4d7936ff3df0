/**
 * Dead letters as raw records: the original payload under the original origin, with attributes that say why it could not be
 * taken in and where it stood. One record for each raw record that failed, whole or in part.
 */
import type { ErrorCode } from '@fieldline/kit';
import { type Micros, type Origin, type Position, payloadOf, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { Work } from '../work.ts';
import type { KnownLetters } from './known-letters.ts';

/** Rejected metrics that are listed in one dead letter; more are counted. */
const REJECTIONS_LISTED_MAX = 20;
const NAME_SHOWN_MAX = 120;
const MESSAGE_LENGTH_MAX = 500;

/** What stands in the attributes of a dead letter. */
export interface DeadLetterAttributes {
  readonly code: ErrorCode;
  readonly message: string;
  /** True where the rest of the record was taken in. */
  readonly partial: boolean;
  /** JSON: [{ metric, code, message }]. */
  readonly rejections: string;
  readonly originalTopic: string;
  readonly originalPartition: number;
  readonly originalPosition: Position;
  readonly originalReceivedTime: Micros;
}

interface Letter {
  readonly recordIndex: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly partial: boolean;
  readonly rejections: string;
}

/** All dead letters of a batch that are not known yet, in the order of their records; null where there is none. */
export function deadLetterBatch(
  work: Work,
  now: Micros,
  known: Pick<KnownLetters, 'has'> | null = null,
): { batch: RawBatch; codes: ErrorCode[] } | null {
  const letters = [
    ...work.failures.map((failure) => ({ ...failure, partial: false, rejections: '[]' })),
    ...partialLetters(work),
  ].filter((letter) => known === null || !isKnown(work, letter, known));
  if (letters.length === 0) return null;
  letters.sort((a, b) => a.recordIndex - b.recordIndex);
  const builder = new RawBatchBuilder(letters.length, 4096);
  for (const letter of letters) {
    builder.add(originOfLetter(work, letter), now, payloadOf(work.batch, letter.recordIndex));
  }
  return { batch: builder.take(), codes: letters.map(({ code }) => code) };
}

function isKnown(work: Work, { recordIndex, code }: Letter, known: Pick<KnownLetters, 'has'>): boolean {
  const { batch } = work;
  const { attributes } = batch.origins[batch.originIndex[recordIndex]!]!;
  return known.has(batch.partition, firstPositionOf(work, recordIndex), code, Number(attributes?.replays ?? 0));
}

/** A record that was replayed and failed again still has its first position. */
function firstPositionOf(work: Work, recordIndex: number): Position {
  const { batch } = work;
  const already = batch.origins[batch.originIndex[recordIndex]!]!.attributes?.originalPosition;
  return typeof already === 'number' ? already : work.positionOf(recordIndex);
}

function partialLetters(work: Work): Letter[] {
  if (work.rejections.length === 0) return [];
  const accepted = new Set<number>();
  const rejecting = new Set(work.rejections.map(({ recordIndex }) => recordIndex));
  for (let row = 0; row < work.decoded.count; row++) {
    const record = work.decoded.recordIndex[row]!;
    if (work.series[row] !== null && rejecting.has(record)) accepted.add(record);
  }
  const failed = new Set(work.failures.map(({ recordIndex }) => recordIndex));
  const byRecord = Map.groupBy(work.rejections, ({ recordIndex }) => recordIndex);
  return [...byRecord].flatMap(([recordIndex, rejections]) => {
    if (failed.has(recordIndex)) return [];
    const first = rejections[0]!;
    const more = rejections.length === 1 ? '' : ` (and ${rejections.length - 1} more)`;
    const listed = rejections.slice(0, REJECTIONS_LISTED_MAX).map(({ metric, code, message }) => ({
      metric: cut(metric, NAME_SHOWN_MAX),
      code,
      message: cut(message, MESSAGE_LENGTH_MAX),
    }));
    return {
      recordIndex,
      code: first.code,
      message: `${cut(first.metric, NAME_SHOWN_MAX)}: ${first.message}${more}`,
      partial: accepted.has(recordIndex),
      rejections: JSON.stringify(listed),
    };
  });
}

function originOfLetter(work: Work, letter: Letter): Origin {
  const { batch } = work;
  const origin = batch.origins[batch.originIndex[letter.recordIndex]!]!;
  const attributes: DeadLetterAttributes = {
    code: letter.code,
    message: cut(letter.message, MESSAGE_LENGTH_MAX),
    partial: letter.partial,
    rejections: letter.rejections,
    originalTopic: batch.topic,
    originalPartition: batch.partition,
    originalPosition: firstPositionOf(work, letter.recordIndex),
    originalReceivedTime: batch.receivedTime[letter.recordIndex]!,
  };
  return { ...origin, attributes: { ...origin.attributes, ...attributes } };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
