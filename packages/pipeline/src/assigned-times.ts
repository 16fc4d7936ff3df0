/**
 * The times of samples that came without one. They follow from the log alone, and from no more of it than what was received in
 * the same and in the previous second, so that whoever reads a record again, from wherever, gives the same times:
 *
 *   second    │      7         │      8         │     numbers of SecondCounter
 *   received  │ a  b b b       │ c c            │
 *   given     │ a  b b+1 b+2   │ c c+1          │     never one that the second 7 or 8 gave before
 *
 * A second's own run is kept beside the one that was given out: what ran over from the second before counts, what had run over
 * into that one counts no more. So nothing depends on the seconds before.
 */
import type { LoggedBatch, Micros, RawBatch } from '@fieldline/model';

const SECOND_MICROS = 1_000_000;
/** Doors that append at the same time stand so far out of order at most; received times that fall back further are a clock's. */
const DISORDER_MICROS = SECOND_MICROS;
/** Further ahead is only what was received under another clock, or appended again. */
const AHEAD_MAX_MICROS = 2 * SECOND_MICROS;
const NEVER = Number.NEGATIVE_INFINITY;

/**
 * Numbers the seconds of received time along one partition: the next second has the next number; a jump over empty seconds, or
 * back, leaves at least one out, and nothing from before it counts. A record that came a little out of order belongs to the
 * second that is under way, and so does one that was appended again with its old received time.
 */
export class SecondCounter {
  #number = 0;
  /** Where the second under way began; −∞ = none yet. */
  #began: Micros = NEVER;
  #numbers = new Float64Array(4096);

  /** The next record follows on nothing. */
  reset(): void {
    this.#number += 2;
    this.#began = NEVER;
  }

  /** The second of each record in [from, to), by its index. They follow on those counted before. Valid until the next call. */
  count(batch: LoggedBatch, from = 0, to: number = batch.count): Float64Array {
    if (this.#numbers.length < to) this.#numbers = new Float64Array(Math.max(to, 2 * this.#numbers.length));
    const numbers = this.#numbers;
    const { receivedTime } = batch;
    let began = this.#began;
    for (let index = from; index < to; index++) {
      const ahead = receivedTime[index]! - began;
      if (!(ahead >= -DISORDER_MICROS && ahead < SECOND_MICROS) && !isAppendedAgain(batch, index)) {
        this.#number += ahead >= SECOND_MICROS && ahead < 2 * SECOND_MICROS ? 1 : 2;
        began = secondOf(receivedTime[index]!) * SECOND_MICROS;
      }
      numbers[index] = this.#number;
    }
    this.#began = began;
    return numbers;
  }
}

/** Whole seconds since 1970. */
export function secondOf(time: Micros): number {
  return Math.floor(time / SECOND_MICROS);
}

/** A dead letter that is replayed stands in the log a second time, with its old received time. */
export function isAppendedAgain(batch: RawBatch, index: number): boolean {
  return batch.origins[batch.originIndex[index]!]!.attributes?.originalPosition !== undefined;
}

/** What was given last to samples of one series. */
export class AssignedTimes {
  #second = NEVER;
  #last: Micros = NEVER;
  /** What #last would be had nothing run over into its second. */
  #ownLast: Micros = NEVER;

  /** The time of the next sample: when it was received, or a microsecond behind the one before. */
  next(second: number, received: Micros): Micros {
    if (second !== this.#second) {
      this.#last = second === this.#second + 1 ? this.#ownLast : NEVER;
      this.#ownLast = NEVER;
      this.#second = second;
    }
    this.#ownLast = behind(this.#ownLast, received);
    this.#last = behind(this.#last, received);
    return this.#last;
  }
}

function behind(last: Micros, received: Micros): Micros {
  return received > last || last - received >= AHEAD_MAX_MICROS ? received : last + 1;
}
