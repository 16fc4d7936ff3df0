/**
 * One JSON value to one sample: a number, boolean or text, or an object { value, unit, quality, ts }. What cannot be
 * accepted is rejected with the metric's name; nothing is thrown.
 */
import {
  isoToMicros,
  type Micros,
  millisToMicros,
  QUALITY_GOOD,
  type Quality,
  qualityCode,
  TIME_MAX,
  TIME_MIN,
} from '@fieldline/model';
import type { DecodeLimits } from './codec.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { shown } from './payload-text.ts';

/** UCUM codes are short; whatever is longer is no unit. */
const UNIT_LENGTH_MAX = 64;

/** Adds a scalar or a { value, unit, quality, ts } object as a sample of `metric`, or rejects it. */
export function addJsonValue(
  metric: string,
  value: unknown,
  sourceTime: Micros,
  into: DecodedBatch,
  limits: DecodeLimits,
): void {
  if (isObject(value)) addDetailed(metric, value, sourceTime, into, limits);
  else addScalar(metric, value, sourceTime, QUALITY_GOOD, into, limits);
}

/** Adds a number, boolean or text, or rejects what is none of them. True where it was added. */
export function addScalar(
  metric: string,
  value: unknown,
  sourceTime: Micros,
  quality: number,
  into: DecodedBatch,
  limits: DecodeLimits,
): boolean {
  switch (typeof value) {
    case 'number':
      if (!Number.isFinite(value)) return rejectValue(metric, 'a number that is not finite (NaN, Infinity)', into);
      into.addNumber(metric, sourceTime, value, quality);
      return true;
    case 'boolean':
      into.addBoolean(metric, sourceTime, value, quality);
      return true;
    case 'string':
      return addText(metric, value, sourceTime, quality, into, limits);
    default:
      return rejectValue(metric, value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object', into);
  }
}

/**
 * The time that a payload tells: milliseconds since 1970 (fractions allowed) or ISO 8601; NaN where it is absent or null;
 * null where it is neither or lies outside 1970 to 2200.
 */
export function sourceTimeOf(ts: unknown): Micros | null {
  if (ts === undefined || ts === null) return Number.NaN;
  let time = Number.NaN;
  if (typeof ts === 'number') time = millisToMicros(ts);
  else if (typeof ts === 'string') time = isoToMicros(ts);
  return time >= TIME_MIN && time <= TIME_MAX ? time : null;
}

/** What is wrong with a time, as the end of a sentence. */
export function timeProblem(ts: unknown): string {
  const got = typeof ts === 'string' ? shown(ts) : typeof ts === 'number' ? String(ts) : kindOf(ts);
  return `ts is ${got}; send milliseconds since 1970 as a number, or ISO 8601, between 1970 and 2200`;
}

/** The OPC byte of 'good', 'uncertain', 'bad' or 0 to 255; absent or null = good; −1 = none of these. */
export function qualityByte(quality: unknown): number {
  if (quality === undefined || quality === null) return QUALITY_GOOD;
  if (quality === 'good' || quality === 'uncertain' || quality === 'bad') return qualityCode(quality satisfies Quality);
  if (typeof quality === 'number' && Number.isInteger(quality) && quality >= 0 && quality <= 255) return quality;
  return -1;
}

/** True for a JSON object (not null, not an array). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The kind of a JSON value, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function addDetailed(
  metric: string,
  detailed: Record<string, unknown>,
  messageTime: Micros,
  into: DecodedBatch,
  limits: DecodeLimits,
): void {
  if (!Object.hasOwn(detailed, 'value')) {
    rejectValue(metric, 'an object without "value"', into);
    return;
  }
  const quality = qualityByte(detailed.quality);
  if (quality < 0) {
    into.reject(
      metric,
      'VALUE_NOT_ACCEPTED',
      `metric ${shown(metric)}: quality must be good, uncertain, bad or 0 to 255`,
    );
    return;
  }
  const ownTime = detailed.ts === undefined ? messageTime : sourceTimeOf(detailed.ts);
  if (ownTime === null) {
    into.reject(metric, 'TIME_INVALID', `metric ${shown(metric)}: ${timeProblem(detailed.ts)}`);
    return;
  }
  const unit = detailed.unit ?? '';
  if (typeof unit !== 'string' || unit.length > UNIT_LENGTH_MAX) {
    into.reject(
      metric,
      'VALUE_NOT_ACCEPTED',
      `metric ${shown(metric)}: unit must be a UCUM code of at most ${UNIT_LENGTH_MAX} characters`,
    );
    return;
  }
  if (addScalar(metric, detailed.value, ownTime, quality, into, limits) && unit !== '') into.unitOfLast(unit);
}

/** Adds a text that a database can hold, or rejects it. True where it was added. */
function addText(
  metric: string,
  text: string,
  sourceTime: Micros,
  quality: number,
  into: DecodedBatch,
  limits: DecodeLimits,
): boolean {
  if (text.length > limits.textLengthMax) {
    const message = `metric ${shown(metric)}: a text of ${text.length} characters, the limit is ${limits.textLengthMax}`;
    into.reject(metric, 'PAYLOAD_OVER_LIMIT', message);
    return false;
  }
  // PostgreSQL cannot store U+0000, and half a surrogate pair has no UTF-8 form.
  if (text.includes('\0') || !text.isWellFormed()) {
    return rejectValue(metric, 'a text with U+0000 or half a surrogate pair', into);
  }
  into.addText(metric, sourceTime, text, quality);
  return true;
}

function rejectValue(metric: string, got: string, into: DecodedBatch): false {
  into.reject(
    metric,
    'VALUE_NOT_ACCEPTED',
    `metric ${shown(metric)}: got ${got}; send a finite number, a boolean or a text, or leave the metric out`,
  );
  return false;
}
