/** Which parts of a range come from which roll-up table and which from samples. Pure. */
import { MICROS_PER_DAY, MICROS_PER_HOUR } from '@fieldline/model';
import type { TimeRange } from '../store.ts';
import { ROLL_UP_LEVELS } from './schema.ts';
import type { RollUpState } from './state.ts';

export interface BucketPlan {
  /** Spans to be answered from samples, ascending, apart. */
  readonly samples: TimeRange[];
  /** Spans to be answered from the cells of one table that start within them. */
  readonly cells: TimeRange[];
  readonly cellTable: string | null;
  /** Cells of UTC days, where hours are gone. */
  readonly oldDays: TimeRange | null;
}

/** The coarsest table whose cells fit into a bucket of this width; null where only samples will do. */
export function levelFor(widthMicros: number): (typeof ROLL_UP_LEVELS)[number] | null {
  return (
    ROLL_UP_LEVELS.slice(0, 3).findLast(({ cellMicros }) => widthMicros > 0 && widthMicros % cellMicros === 0) ?? null
  );
}

/**
 * An hour is taken from its roll-up where it has one and no series asked for is stale in it, and where samples are gone.
 * What the ends of the range cut out of a cell is taken from samples.
 */
export function planBuckets(
  rollUps: RollUpState,
  seriesIds: readonly number[],
  range: TimeRange,
  widthMicros: number,
  days: boolean,
): BucketPlan {
  const level = levelFor(widthMicros);
  const cells: TimeRange[] = [];
  const samples: TimeRange[] = [];
  const oldEnd = days ? rollUps.hoursDroppedBefore * MICROS_PER_DAY : -Infinity;
  const from = Math.max(range.from, oldEnd);
  let at = from;
  for (const hour of hoursOf(rollUps, from, range.to)) {
    const hourStart = hour * MICROS_PER_HOUR;
    const hourEnd = hourStart + MICROS_PER_HOUR;
    const cell = level?.cellMicros ?? MICROS_PER_HOUR;
    const start = Math.max(hourStart, Math.ceil(from / cell) * cell);
    if (rollUps.droppedDays.has(Math.floor(hour / 24))) {
      // A cell that reaches over the end of the range is taken whole: there are no samples to take its part from.
      push(samples, { from: at, to: hourStart });
      if (level !== null) push(cells, { from: start, to: Math.min(hourEnd, Math.ceil(range.to / cell) * cell) });
      at = Math.max(at, hourEnd);
    } else if (level !== null && rollUps.rolled.has(hour) && !rollUps.stale.touchesHour(seriesIds, hour)) {
      const end = Math.min(hourEnd, Math.floor(range.to / cell) * cell);
      if (start >= end) continue;
      push(samples, { from: at, to: start });
      push(cells, { from: start, to: end });
      at = end;
    }
  }
  push(samples, { from: at, to: range.to });
  const oldDays = range.from < oldEnd ? { from: range.from, to: Math.min(range.to, oldEnd) } : null;
  return { samples, cells, cellTable: level?.table ?? null, oldDays };
}

/** Rolled or dropped hours that overlap the range, ascending. */
function hoursOf(rollUps: RollUpState, from: number, to: number): number[] {
  const first = Math.floor(from / MICROS_PER_HOUR);
  const end = Math.ceil(to / MICROS_PER_HOUR);
  const hours = new Set<number>();
  if (end - first <= rollUps.rolled.size) {
    for (let hour = first; hour < end; hour += 1) if (rollUps.rolled.has(hour)) hours.add(hour);
  } else {
    for (const hour of rollUps.rolled) if (hour >= first && hour < end) hours.add(hour);
  }
  for (const day of rollUps.droppedDays) {
    for (let hour = day * 24; hour < day * 24 + 24; hour += 1) if (hour >= first && hour < end) hours.add(hour);
  }
  return [...hours].sort((a, b) => a - b);
}

/** Appends a span, joining it to the last one where they meet; empty ones are left out. */
function push(spans: TimeRange[], span: TimeRange): void {
  if (span.from >= span.to) return;
  const last = spans.at(-1);
  if (last !== undefined && last.to === span.from) spans[spans.length - 1] = { from: last.from, to: span.to };
  else spans.push(span);
}
