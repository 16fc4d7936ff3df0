/**
 * Days of a time zone over a span of time: which local day an instant belongs to and when that day begins. A span has few
 * changes of offset, so a zone is a short list of (from this instant on, this offset). Pure but for Intl.
 */
import { FieldlineError } from '@fieldline/kit';
import {
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MILLI,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  type Micros,
} from '@fieldline/model';

interface OffsetSpan {
  readonly start: Micros;
  /** Local time − UTC, microseconds. */
  readonly offset: number;
}

const MICROS_PER_QUARTER = 15 * MICROS_PER_MINUTE;

export class LocalDays {
  readonly #spans: readonly OffsetSpan[];
  /** Length of the longest roll-up cell that no local midnight cuts: an hour, 15 minutes, a minute, or 0 = none. */
  readonly cellMicros: number;

  /** `from` and `to` bound the instants that will be asked about. BAD_REQUEST where the zone is not known. */
  constructor(timeZone: string, from: Micros, to: Micros) {
    this.#spans = timeZone === 'UTC' ? [{ start: -Infinity, offset: 0 }] : offsetSpans(timeZone, from, to);
    const fits = (cell: number): boolean =>
      this.#spans.every(({ start, offset }) => offset % cell === 0 && (start === -Infinity || start % cell === 0));
    this.cellMicros = [MICROS_PER_HOUR, MICROS_PER_QUARTER, MICROS_PER_MINUTE].find(fits) ?? 0;
  }

  /** Number of the local day since 1970-01-01. */
  dayOf(time: Micros): number {
    let offset = this.#spans[0]!.offset;
    for (const span of this.#spans) if (span.start <= time) offset = span.offset;
    return Math.floor((time + offset) / MICROS_PER_DAY);
  }

  /** The first instant of a local day; where the clock skips midnight, the instant of the change. */
  startOf(day: number): Micros {
    for (const [index, { start, offset }] of this.#spans.entries()) {
      const instant = Math.max(start, day * MICROS_PER_DAY - offset);
      const end = this.#spans[index + 1]?.start ?? Infinity;
      if (instant < end && Math.floor((instant + offset) / MICROS_PER_DAY) >= day) return instant;
    }
    return day * MICROS_PER_DAY - this.#spans.at(-1)!.offset;
  }

  /** SQL for dayOf() of an integer expression. */
  daySql(time: string): string {
    const [first, ...rest] = this.#spans;
    const cases = rest
      .toReversed()
      .map(({ start, offset }) => `WHEN ${time} >= ${start} THEN ${offset}`)
      .join(' ');
    const offset = rest.length === 0 ? String(first!.offset) : `(CASE ${cases} ELSE ${first!.offset} END)`;
    return `((${time} + ${offset}) // ${MICROS_PER_DAY})`;
  }
}

function offsetSpans(timeZone: string, from: Micros, to: Micros): OffsetSpan[] {
  const offsetAt = offsetFunction(timeZone);
  let before = from - MICROS_PER_DAY;
  const spans: OffsetSpan[] = [{ start: -Infinity, offset: offsetAt(before) }];
  while (before < to + MICROS_PER_DAY) {
    const after = before + MICROS_PER_DAY;
    if (offsetAt(after) !== spans.at(-1)!.offset) {
      spans.push({ start: changeBetween(before, after, offsetAt), offset: offsetAt(after) });
    }
    before = after;
  }
  return spans;
}

/** The second at which the offset changes; assumes one change within the span, which is a day. */
function changeBetween(before: Micros, after: Micros, offsetAt: (time: Micros) => number): Micros {
  let low = Math.floor(before / MICROS_PER_SECOND);
  let high = Math.ceil(after / MICROS_PER_SECOND);
  const offset = offsetAt(before);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle * MICROS_PER_SECOND) === offset) low = middle;
    else high = middle;
  }
  return high * MICROS_PER_SECOND;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function offsetFunction(timeZone: string): (time: Micros) => number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    } catch (cause) {
      throw new FieldlineError(
        'BAD_REQUEST',
        `time zone "${timeZone}" is not known; use an IANA name such as Europe/Berlin`,
        {
          cause,
        },
      );
    }
    // Bounded by the number of names that Intl accepts.
    formats.set(timeZone, format);
  }
  const known = format;
  return (time) => {
    const text = known.formatToParts(time / MICROS_PER_MILLI).find((part) => part.type === 'timeZoneName')?.value ?? '';
    const match = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(text);
    if (match === null) return 0;
    const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
    return (match[1] === '-' ? -seconds : seconds) * MICROS_PER_SECOND;
  };
}
