/**
 * normalise: times, kinds, units, scale, bounds, quality. Each row comes out as it is stored, or refused. Every row has a time by now.
 * Values are brought into the series' unit (a unit that the payload told goes before the one that the series says its
 * source has) and clamped to its bounds, which makes a good sample uncertain.
 */
import { type Micros, QUALITY_UNCERTAIN, qualityOf, TIME_MAX, TIME_MIN } from '@fieldline/model';
import { KIND_BOOLEAN, KIND_NUMBER, KIND_TEXT, type SeriesState } from '../series-state.ts';
import type { Work } from '../work.ts';

export function normalise(work: Work, futureToleranceMicros: Micros): void {
  const { batch, decoded, series } = work;
  const { sourceTime, value, valueKind, recordIndex, units, count } = decoded;
  const hasUnits = units.size > 0;
  for (let row = 0; row < count; row++) {
    const of = series[row]!;
    if (of === null) continue;
    const received = batch.receivedTime[recordIndex[row]!]!;
    const time = sourceTime[row]!;
    if (!(time >= TIME_MIN && time <= TIME_MAX && time <= received + futureToleranceMicros)) {
      refuseTime(work, row, time, received, futureToleranceMicros);
      continue;
    }
    if (of.kind !== KIND_NUMBER || valueKind[row] === KIND_TEXT) {
      fitKind(work, row, of);
      continue;
    }
    const told = hasUnits ? units.get(row) : undefined;
    if (told !== undefined && of.unit !== '' && told !== of.sourceUnit) {
      if (!convertTold(work, row, of, told)) continue;
    } else if (of.hasConversion) {
      value[row] = value[row]! * of.factor + of.offset;
    }
    const stored = value[row]!;
    if (stored < of.minimum || stored > of.maximum || !Number.isFinite(stored)) clamp(work, row, of);
  }
}

function refuseTime(work: Work, row: number, time: Micros, received: Micros, tolerance: Micros): void {
  if (!(time >= TIME_MIN && time <= TIME_MAX)) {
    work.refuse(row, 'TIME_INVALID', `source time ${time} µs lies outside 1970 to 2200; is it in milliseconds?`);
    return;
  }
  const ahead = Math.round((time - received) / 1_000_000);
  work.refuse(
    row,
    'TIME_IN_FUTURE',
    `source time ${new Date(time / 1000).toISOString()} is ${ahead} s ahead of when it was received (allowed: ${tolerance / 1_000_000} s); check the device's clock`,
  );
}

/** Values that are not numbers, or not in a series of numbers. The series keeps the kind of its first value. */
function fitKind(work: Work, row: number, of: SeriesState): void {
  const { value, valueKind, texts } = work.decoded;
  const sent = valueKind[row]!;
  if (of.kind === KIND_TEXT) {
    if (sent === KIND_TEXT) return;
    texts.set(row, sent === KIND_BOOLEAN ? String(value[row] === 1) : String(value[row]));
    value[row] = Number.NaN;
  } else if (sent === KIND_TEXT) {
    const kind = of.kind === KIND_BOOLEAN ? 'booleans' : 'numbers';
    work.refuse(row, 'VALUE_NOT_ACCEPTED', `got a text; metric "${of.metricKey}" takes ${kind} since its first value`);
  } else if (value[row] !== 0 && value[row] !== 1) {
    work.refuse(
      row,
      'VALUE_NOT_ACCEPTED',
      `got ${value[row]}; metric "${of.metricKey}" takes booleans (or 0 and 1) since its first value`,
    );
  }
}

/** Converts from the unit that the payload told. False (and the row refused) where it measures something else. */
function convertTold(work: Work, row: number, of: SeriesState, told: string): boolean {
  const { value } = work.decoded;
  const conversion = of.conversionFrom(told);
  if (conversion === null) {
    work.refuse(
      row,
      'VALUE_NOT_ACCEPTED',
      `unit "${told}" cannot be converted to "${of.unit}", the unit of metric "${of.metricKey}"; set the metric's source unit to "${told}" to take it as it is`,
    );
    return false;
  }
  value[row] = (value[row]! * of.scale + of.shift) * conversion.factor + conversion.offset;
  return true;
}

function clamp(work: Work, row: number, of: SeriesState): void {
  const { value, quality } = work.decoded;
  const before = value[row]!;
  if (!Number.isFinite(before)) {
    work.refuse(row, 'VALUE_NOT_ACCEPTED', `metric "${of.metricKey}" is not finite after scaling`);
    return;
  }
  value[row] = before < of.minimum ? of.minimum : of.maximum;
  if (qualityOf(quality[row]!) === 'good') quality[row] = QUALITY_UNCERTAIN;
}
