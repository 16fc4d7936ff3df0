/** A dead letter as it is read back from the log, and the raw record that its replay appends again. */
import type { ErrorCode } from '@fieldline/kit';
import { type LoggedBatch, type Micros, type Origin, originOf, type Position, payloadOf } from '@fieldline/model';
import type { DeadLetterAttributes } from './dead-letter-batch.ts';

export interface DeadLetter {
  /** `{partition}-{position}` in the topic of dead letters. */
  readonly id: string;
  readonly partition: number;
  readonly position: Position;
  readonly organizationId: string;
  /** When the original record was received. */
  readonly receivedTime: Micros;
  /** When it became a dead letter. */
  readonly deadTime: Micros;
  readonly code: ErrorCode;
  readonly message: string;
  readonly partial: boolean;
  readonly rejections: readonly { readonly metric: string; readonly code: string; readonly message: string }[];
  readonly originalPartition: number;
  readonly originalPosition: Position;
  readonly origin: Origin;
  readonly payload: Uint8Array;
}

/** The dead letter at an index of a batch of their topic. The payload is a view into the batch. */
export function deadLetterAt(batch: LoggedBatch, index: number): DeadLetter {
  const origin = originOf(batch, index);
  const attributes = origin.attributes as unknown as DeadLetterAttributes;
  const position = batch.firstPosition + index;
  return {
    id: `${batch.partition}-${position}`,
    partition: batch.partition,
    position,
    organizationId: origin.organizationId,
    receivedTime: attributes.originalReceivedTime,
    deadTime: batch.receivedTime[index]!,
    code: attributes.code,
    message: attributes.message,
    partial: attributes.partial,
    rejections: JSON.parse(attributes.rejections) as DeadLetter['rejections'],
    originalPartition: attributes.originalPartition,
    originalPosition: attributes.originalPosition,
    origin,
    payload: payloadOf(batch, index),
  };
}

/** What tells that two dead letters are of the same record for the same reason (a crash can repeat one). */
export function sameLetterKey({ originalPartition, originalPosition, code, origin }: DeadLetter): string {
  return letterKey(originalPartition, originalPosition, code, Number(origin.attributes?.replays ?? 0));
}

/** The identity of a letter: follows from its record and the reason alone. */
export function letterKey(partition: number, position: Position, code: ErrorCode, replays: number): string {
  return `${partition}-${position}-${code}-${replays}`;
}

/**
 * The record to append to the raw topic again: same payload, same received time, and the position that it first had, so that
 * its samples keep the version of their first arrival and undo no correction that came later.
 */
export function replayedRecord(letter: DeadLetter): { origin: Origin; receivedTime: Micros; payload: Uint8Array } {
  const { attributes = {}, ...origin } = letter.origin;
  const publisherId = attributes.publisherId;
  const replays = typeof attributes.replays === 'number' ? attributes.replays + 1 : 1;
  return {
    origin: {
      ...origin,
      attributes: {
        originalPosition: letter.originalPosition,
        replays,
        ...(publisherId !== undefined && { publisherId }),
      },
    },
    receivedTime: letter.receivedTime,
    payload: letter.payload,
  };
}
