/**
 * Reading that begins in the middle: what the stages remember there must be what they remembered when the records before came for
 * the first time. In: a position of a log; then the records that count at it (those of the second under way and of the one before,
 * see assigned-times.ts) are taken through the stages that remember, and nothing is written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LoggedBatch, Position } from '@fieldline/model';
import { isAppendedAgain, type SecondCounter, secondOf } from './assigned-times.ts';
import type { BatchProcessor } from './process-batch.ts';
import type { NumberedBatch } from './work.ts';

const LOOK_BACK_RECORDS = 4096;
/** Before records that came at more than 300,000 a second not everything that counts is read. */
const LOOK_BACK_RECORDS_MAX = 1_048_576;
/** The second under way may be one behind that of the last record, which came out of order; so may the one of a start. */
const SECONDS_BACK = 3;
/** A record is at most so far behind the second under way; one further behind another one was received under another clock. */
const SECONDS_OF_DISORDER = 1;

export interface ReadBack {
  /** The first position that can be read. */
  readonly first: Position;
  /** The next records from `from` on and before `end`, at least; null where there are none. */
  read(from: Position, end: Position): Promise<LoggedBatch | null>;
}

/** Takes records through the stages that remember. */
export type Recall = (batch: NumberedBatch) => Promise<void>;

/** Everything that counts at `position` through the stages that remember it. The counter goes on there. */
export async function warmUp(log: ReadBack, position: Position, seconds: SecondCounter, recall: Recall): Promise<void> {
  seconds.reset();
  await recallSpan(log, await warmUpStart(log, position), position, seconds, recall);
}

/** The records [from, to), which follow on those counted before, through the stages that remember. */
export async function recallSpan(
  log: ReadBack,
  from: Position,
  to: Position,
  seconds: SecondCounter,
  recall: Recall,
): Promise<void> {
  for await (const batch of batchesOf(log, from, to)) await recall({ ...batch, seconds: seconds.count(batch) });
}

/** In slices: between two of them other work of the thread gets its turn. */
export async function recallAll(processor: BatchProcessor, batch: NumberedBatch): Promise<void> {
  for (let at = 0; at < batch.count; await nextTurn()) at = processor.recall(batch, at);
}

/** The latest position from which on everything is read that counts at `position`. */
export async function warmUpStart(log: ReadBack, position: Position): Promise<Position> {
  let seconds: Float64Array = new Float64Array(0);
  for (let records = LOOK_BACK_RECORDS; ; records *= 2) {
    const lowest = Math.max(log.first, position - Math.min(records, LOOK_BACK_RECORDS_MAX));
    if (lowest >= position) return position;
    seconds = joined(await secondsOf(log, lowest, position - seconds.length), seconds);
    const start = startIn(seconds);
    if (start !== null) return lowest + start;
    if (lowest === log.first || records >= LOOK_BACK_RECORDS_MAX) return lowest;
  }
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** The second in which each of the records [from, to) was received; NaN where one cannot be read, or came again. */
async function secondsOf(log: ReadBack, from: Position, to: Position): Promise<Float64Array> {
  const seconds = new Float64Array(to - from).fill(Number.NaN);
  for await (const batch of batchesOf(log, from, to)) {
    for (let index = 0; index < batch.count; index++) {
      if (isAppendedAgain(batch, index)) continue;
      seconds[batch.firstPosition - from + index] = secondOf(batch.receivedTime[index]!);
    }
  }
  return seconds;
}

/** The last index before which nothing counts behind the end; null where there is none. */
function startIn(seconds: Float64Array): number | null {
  let newest = Number.NaN;
  let later = Number.NaN;
  let laterIndex = seconds.length;
  for (let index = seconds.length - 1; index >= 0; index--) {
    const second = seconds[index]!;
    if (Number.isNaN(second)) continue;
    if (Number.isNaN(newest)) newest = second;
    if (later < second - SECONDS_OF_DISORDER) return laterIndex; // The clock was set back in between.
    if (second <= newest - SECONDS_BACK) return index;
    later = second;
    laterIndex = index;
  }
  return null;
}

async function* batchesOf(log: ReadBack, from: Position, to: Position): AsyncGenerator<LoggedBatch> {
  for (let at = from; at < to; ) {
    const batch = await log.read(at, to);
    if (batch === null || batch.firstPosition >= to) return;
    const count = Math.min(batch.count, to - batch.firstPosition);
    yield count === batch.count ? batch : { ...batch, count };
    at = batch.firstPosition + count;
  }
}
