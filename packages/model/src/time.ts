/**
 * Time inside Fieldline is an integer number of microseconds since 1970-01-01T00:00:00Z, held in a JavaScript number:
 * exact up to 2^53 µs (year 2255), and so exact for everything that TIME_MAX lets in. On disk it is a 64-bit integer.
 */

/** Microseconds since the Unix epoch, UTC. Always an integer. */
export type Micros = number;

export const MICROS_PER_MILLI = 1_000;
export const MICROS_PER_SECOND = 1_000_000;
export const MICROS_PER_MINUTE = 60 * MICROS_PER_SECOND;
export const MICROS_PER_HOUR = 60 * MICROS_PER_MINUTE;
export const MICROS_PER_DAY = 24 * MICROS_PER_HOUR;

/** The earliest and latest source time that is accepted: 1970-01-01 and 2200-01-01. */
export const TIME_MIN: Micros = 0;
export const TIME_MAX: Micros = Date.UTC(2200, 0, 1) * MICROS_PER_MILLI;

/** True for an integer within [TIME_MIN, TIME_MAX]. */
export function isMicros(value: number): boolean {
  return Number.isInteger(value) && value >= TIME_MIN && value <= TIME_MAX;
}

/** Milliseconds (fractions allowed) to whole microseconds. */
export function millisToMicros(milliseconds: number): Micros {
  return Math.round(milliseconds * MICROS_PER_MILLI);
}

/** Whole microseconds to milliseconds, rounded down. */
export function microsToMillis(micros: Micros): number {
  return Math.floor(micros / MICROS_PER_MILLI);
}

/** ISO 8601 in UTC. Milliseconds are always written; microseconds only where they are not zero. */
export function microsToIso(micros: Micros): string {
  const iso = new Date(microsToMillis(micros)).toISOString();
  const rest = micros - microsToMillis(micros) * MICROS_PER_MILLI;
  return rest === 0 ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

const ISO_8601 = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * ISO 8601 date or date-time to microseconds. Without a zone it is taken as UTC. Digits beyond microseconds are cut off.
 * Returns NaN for anything else, also for impossible dates such as 30 February.
 */
export function isoToMicros(text: string): Micros {
  const match = ISO_8601.exec(text);
  if (match === null) return Number.NaN;
  const [, date, clock = '00:00', fraction = '', zone = 'Z'] = match;
  const day = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(date!)) return Number.NaN;
  const normalZone = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const milliseconds = Date.parse(`${date}T${clock.length === 5 ? `${clock}:00` : clock}${normalZone}`);
  if (Number.isNaN(milliseconds)) return Number.NaN;
  return milliseconds * MICROS_PER_MILLI + (fraction === '' ? 0 : Number(fraction.slice(0, 6).padEnd(6, '0')));
}
