/**
 * normalise: times, units, scale, bounds, quality. A sample without a time of its own has the one at which it was received;
 * a time that cannot be, or lies too far ahead, is refused. Values are brought into the series' unit and clamped to its
 * bounds (which makes them uncertain).
 */
import { linearConversion, type Micros, QUALITY_UNCERTAIN, qualityOf, TIME_MAX, TIME_MIN } from '@fieldline/model';
import { KIND_TEXT, type SeriesState } from '../series-state.ts';
import type { Work } from '../work.ts';

export function normalise(work: Work, futureToleranceMicros: Micros): void {
  const { batch, decoded, series } = work;
  const { sourceTime, value, valueKind, recordIndex } = decoded;
  for (let row = 0; row < decoded.count; row++) {
    const of = series[row]!;
    if (of === null) continue;
    const received = batch.receivedTime[recordIndex[row]!]!;
    const time = sourceTime[row]!;
    if (Number.isNaN(time)) sourceTime[row] = received;
    else if (!(time >= TIME_MIN && time <= TIME_MAX)) {
      work.refuse(row, 'TIME_INVALID', `source time ${time} µs lies outside 1970 to 2200; is it in milliseconds?`);
      continue;
    } else if (time > received + futureToleranceMicros) {
      work.refuse(row, 'TIME_IN_FUTURE', futureMessage(time, received, futureToleranceMicros));
      continue;
    }
    if (of.kind === KIND_TEXT) toText(work, row);
    else if (valueKind[row] === KIND_TEXT) {
      work.refuse(
        row,
        'VALUE_NOT_ACCEPTED',
        `got a text; metric "${of.metricKey}" takes numbers since its first value`,
      );
    } else if (!convertTold(work, row, of)) continue;
    else if (of.scaled) value[row] = value[row]! * of.factor + of.offset;
    if (of.kind !== KIND_TEXT) clamp(work, row, of);
  }
}

function futureMessage(time: Micros, received: Micros, tolerance: Micros): string {
  const ahead = Math.round((time - received) / 1_000_000);
  return `source time ${new Date(time / 1000).toISOString()} is ${ahead} s ahead of when it was received (allowed: ${tolerance / 1_000_000} s); check the device's clock`;
}

/** A unit that the payload itself told goes before what the series says of its source. False where it cannot be converted. */
function convertTold(work: Work, row: number, of: SeriesState): boolean {
  const { units, value } = work.decoded;
  if (units.size === 0) return true;
  const told = units.get(row);
  if (told === undefined || told === of.unit || of.unit === '') return true;
  const conversion = linearConversion(told, of.unit);
  if (conversion === null) {
    work.refuse(
      row,
      'VALUE_NOT_ACCEPTED',
      `unit "${told}" cannot be converted to "${of.unit}", the unit of metric "${of.metricKey}"`,
    );
    return false;
  }
  value[row] = value[row]! * conversion.factor + conversion.offset;
  return true;
}

function toText(work: Work, row: number): void {
  const { decoded } = work;
  if (decoded.valueKind[row] === KIND_TEXT) return;
  decoded.texts.set(row, decoded.valueKind[row] === 1 ? String(decoded.value[row] === 1) : String(decoded.value[row]));
  decoded.value[row] = Number.NaN;
}

function clamp(work: Work, row: number, of: SeriesState): void {
  const { value, quality } = work.decoded;
  const before = value[row]!;
  if (before >= of.minimum && before <= of.maximum) return;
  if (work.series[row] === null) return;
  if (!Number.isFinite(before)) {
    work.refuse(row, 'VALUE_NOT_ACCEPTED', `metric "${of.metricKey}" is not finite after scaling`);
    return;
  }
  value[row] = before < of.minimum ? of.minimum : of.maximum;
  if (qualityOf(quality[row]!) === 'good') quality[row] = QUALITY_UNCERTAIN;
}
