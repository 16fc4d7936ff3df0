/**
 * Readings from a recording, its times moved to the present: the place where the replay begins is the moment at which the
 * simulation starts. The past before it is told at the recording's own speed, the present at the speed that was asked for.
 */
import type { Micros } from '@fieldline/model';
import type { Reading, ReadingSource } from './reading.ts';
import type { Recording } from './recording.ts';

export interface ReplayPlace {
  /** The moment that belongs to `startElapsed`. */
  readonly startTime: Micros;
  /** Place in the recording, microseconds from its first row. */
  readonly startElapsed: number;
  readonly speed: number;
  readonly loop: boolean;
}

export function replayReadings(recording: Recording, place: ReplayPlace): ReadingSource {
  const { startTime, startElapsed, speed, loop } = place;
  return {
    units: recording.units,
    take(after, until, max) {
      const found: Reading[] = [];
      const timeOf = (ordinal: number): Micros =>
        Math.round(startTime + (elapsedOf(recording, ordinal) - startElapsed) / speed);
      let ordinal = firstAfter(recording, startElapsed + (after - startTime) * speed);
      // Rounding to whole microseconds may move a row to where it has been already.
      while (timeOf(ordinal) <= after) ordinal += 1;
      for (; found.length < max && (loop || ordinal < recording.count); ordinal++) {
        const sourceTime = timeOf(ordinal);
        if (sourceTime > until) break;
        found.push({ sourceTime, values: recording.valuesOf(rowOf(recording, ordinal)) });
      }
      return found;
    },
    *history(from, until, stepMicros) {
      let next = from;
      // Before the first row there is nothing, unless the recording goes round.
      let ordinal = Math.max(
        loop ? Number.NEGATIVE_INFINITY : 0,
        firstAfter(recording, startElapsed + (from - startTime) - 1),
      );
      for (; ; ordinal++) {
        const sourceTime = Math.round(startTime + elapsedOf(recording, ordinal) - startElapsed);
        if (sourceTime > until) return;
        if (sourceTime < next) continue;
        next = sourceTime + stepMicros;
        yield { sourceTime, values: recording.valuesOf(rowOf(recording, ordinal)) };
      }
    },
  };
}

/** Rows are counted through all rounds of the loop, also backwards: −1 is the last row of the round before. */
function elapsedOf(recording: Recording, ordinal: number): number {
  const round = Math.floor(ordinal / recording.count);
  return round * recording.lengthMicros + recording.elapsed[rowOf(recording, ordinal)]!;
}

function rowOf(recording: Recording, ordinal: number): number {
  return ordinal - Math.floor(ordinal / recording.count) * recording.count;
}

/** Ordinal of the first row later than a place, by bisection. */
function firstAfter(recording: Recording, elapsed: number): number {
  const round = Math.floor(elapsed / recording.lengthMicros);
  const within = elapsed - round * recording.lengthMicros;
  let low = 0;
  let high = recording.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (recording.elapsed[middle]! <= within) low = middle + 1;
    else high = middle;
  }
  return round * recording.count + low;
}
