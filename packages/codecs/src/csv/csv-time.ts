/** Cells of a time column to microseconds: ISO 8601, epochs, or a pattern; local times through the zone they were told in. */
import { isoToMicros, type Micros, TIME_MAX, TIME_MIN } from '@fieldline/model';
import { DecodeError } from '../codec.ts';

/** Microseconds, or NaN where the cell is no time in that form (or lies outside 1970 to 2200). */
export type TimeReader = (cell: string) => Micros;

const MICROS_PER_EPOCH_UNIT: Readonly<Record<string, number>> = { 'epoch-s': 1e6, 'epoch-ms': 1e3, 'epoch-us': 1 };

/** A reader for a format of CsvTimeColumn. Throws DecodeError where format or zone is not known. */
export function timeReader(format = 'auto', zone = 'UTC'): TimeReader {
  const toUtc = zoneShift(zone);
  const iso: TimeReader = (cell) => {
    const time = isoToMicros(cell);
    return HAS_ZONE.test(cell) ? time : toUtc(time);
  };
  const read = readerOf(format, iso, toUtc);
  return (cell) => {
    const time = read(cell.trim());
    return time >= TIME_MIN && time <= TIME_MAX ? time : Number.NaN;
  };
}

const HAS_ZONE = /(?:Z|:\d{2}(?:[.,]\d+)?[+-]\d{2}(?::?\d{2})?)$/;
const EPOCH = /^\d+(?:[.,]\d+)?$/;

function readerOf(format: string, iso: TimeReader, toUtc: (local: Micros) => Micros): TimeReader {
  if (format === 'iso') return iso;
  if (format === 'auto') return (cell) => (EPOCH.test(cell) ? epochBySize(epochNumber(cell)) : iso(cell));
  if (Object.hasOwn(MICROS_PER_EPOCH_UNIT, format)) {
    const factor = MICROS_PER_EPOCH_UNIT[format]!;
    return (cell) => (EPOCH.test(cell) ? Math.round(epochNumber(cell) * factor) : Number.NaN);
  }
  return patternReader(format, toUtc);
}

function epochNumber(cell: string): number {
  return Number(cell.replace(',', '.'));
}

/** Seconds up to 1e11 (year 5138), milliseconds up to 1e14, microseconds above. */
function epochBySize(epoch: number): Micros {
  return Math.round(epoch * (epoch < 1e11 ? 1e6 : epoch < 1e14 ? 1e3 : 1));
}

const TOKENS: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  MM: '(?<month>\\d{1,2})',
  DD: '(?<day>\\d{1,2})',
  HH: '(?<hour>\\d{1,2})',
  mm: '(?<minute>\\d{1,2})',
  ss: '(?<second>\\d{1,2})',
  SSS: '(?<fraction>\\d{1,9})',
};

/** 'DD.MM.YYYY HH:mm:ss' and the like. Single digits are taken where two are asked for. */
function patternReader(pattern: string, toUtc: (local: Micros) => Micros): TimeReader {
  const tokens: string[] = pattern.match(/YYYY|MM|DD|HH|mm|SSS|ss/g) ?? [];
  const complete = ['YYYY', 'MM', 'DD'].every((token) => tokens.includes(token));
  if (!complete || new Set(tokens).size !== tokens.length) {
    throw new DecodeError(
      'TIME_INVALID',
      `time format "${pattern}" is not known; use auto, iso, epoch-s, epoch-ms, epoch-us or a pattern such as DD.MM.YYYY HH:mm:ss`,
    );
  }
  const source = pattern.replace(/YYYY|MM|DD|HH|mm|SSS|ss|[^A-Za-z0-9\s]/g, (part) => TOKENS[part] ?? `\\${part}`);
  const expression = new RegExp(`^${source}$`);
  return (cell) => {
    const parts = expression.exec(cell)?.groups;
    if (parts === undefined) return Number.NaN;
    const { year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = '' } = parts;
    const two = (digits: string): string => digits.padStart(2, '0');
    const clock = `${two(hour)}:${two(minute)}:${two(second)}${fraction === '' ? '' : `.${fraction}`}`;
    return toUtc(isoToMicros(`${year}-${two(month)}-${two(day)}T${clock}`));
  };
}

/** From a local time, read as if it were UTC, to the real one. */
function zoneShift(zone: string): (local: Micros) => Micros {
  if (zone === 'UTC' || zone === 'Z') return (local) => local;
  const fixed = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (fixed !== null) {
    const minutes = (Number(fixed[2]) * 60 + Number(fixed[3])) * (fixed[1] === '-' ? -1 : 1);
    return (local) => local - minutes * 60e6;
  }
  return namedZoneShift(zone);
}

const QUARTER_HOUR_MS = 900_000;
const OFFSETS_KEPT_MAX = 10_000;

/** A named zone, with daylight saving. A time that occurs twice is taken as the first one; one that is left out moves on. */
function namedZoneShift(zone: string): (local: Micros) => Micros {
  const offsets = new Map<number, number>();
  const format = formatOf(zone);
  const offsetAt = (utcMs: number): number => {
    const key = Math.floor(utcMs / QUARTER_HOUR_MS);
    let offset = offsets.get(key);
    if (offset === undefined) {
      if (offsets.size === OFFSETS_KEPT_MAX) offsets.clear();
      offset = offsetMs(format, key * QUARTER_HOUR_MS);
      offsets.set(key, offset);
    }
    return offset;
  };
  return (local) => {
    if (Number.isNaN(local)) return local;
    const localMs = Math.floor(local / 1000);
    // The offset is one of those that hold a day before and a day after.
    const before = offsetAt(localMs - 86_400_000);
    const after = offsetAt(localMs + 86_400_000);
    const first = offsetAt(localMs - before) === before ? before : after;
    return local - (offsetAt(localMs - first) === first ? first : before) * 1000;
  };
}

function formatOf(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new DecodeError(
      'TIME_INVALID',
      `time zone "${zone}" is not known; use UTC, +02:00 or a name as Europe/Berlin`,
    );
  }
}

function offsetMs(format: Intl.DateTimeFormat, utcMs: number): number {
  const part = Object.fromEntries(format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) - utcMs;
}
