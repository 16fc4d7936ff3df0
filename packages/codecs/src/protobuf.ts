/**
 * The codec `protobuf`: fieldline.v1.SensorData (proto/fieldline/v1/telemetry.proto) straight from the wire into columns.
 * Written by hand for speed; the generated types are the second opinion in the tests.
 *
 * - a reading or column without a metric is called 'value'.
 * - one column that cannot be taken (no time axis, numbers that are not finite …) is rejected, the others go on.
 * - fields that are not known are passed over; whatever is cut off or malformed throws.
 * Not reentrant: decode() calls nobody who could call it again.
 */
import { QUALITY_GOOD, TIME_MAX } from '@fieldline/model';
import { type Codec, DecodeError, type DecodeLimits } from './codec.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { addScalar } from './json-value.ts';
import { isMetricKey, METRIC_VALUE, rejectMetricKey } from './metric-key.ts';
import { MetricNames } from './metric-names.ts';
import { NumberList } from './number-list.ts';
import { checkPayloadSize, shown } from './payload-text.ts';
import { readNumbers, SensorColumn } from './sensor-column.ts';
import { WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, WireReader } from './wire-reader.ts';

const SINT64 = 5; // How readNumbers() tells zigzag numbers: the field number of Column.integers.
const DECIMALS_MAX = 15;

const reader = new WireReader();
const names = new MetricNames();
const column = new SensorColumn();
const textBetween = (start: number, end: number): string => reader.textBetween(start, end);
const nameBetween = (start: number, end: number): string => names.get(reader.bytes, start, end, textBetween);

/** The message's own fields. Columns are noted by place: the time axis may stand behind them. */
const head = {
  time: Number.NaN,
  value: undefined as number | boolean | string | undefined,
  quality: QUALITY_GOOD,
  metric: '',
  unit: '',
  interval: 0,
  timeDeltas: new NumberList(),
  columnStarts: new NumberList(),
  columnEnds: new NumberList(),
};

/** Times of the samples of the shared axis, and of a column's own one. */
const sharedTimes = new NumberList();
const ownTimes = new NumberList();

export const protobufCodec: Codec = {
  id: 'protobuf',
  decode(payload, into, limits) {
    checkPayloadSize(payload, limits);
    reader.open(payload);
    readHead(limits);
    const entriesMax = into.count + into.rejections.length + limits.samplesMax;
    if (head.value !== undefined) addReading(into, limits);
    if (!timesFromDeltas(head.timeDeltas, sharedTimes)) {
      throw new DecodeError(
        'TIME_INVALID',
        'the time axis leaves 1970 to 2200, or there is none to count from (time_us)',
      );
    }
    for (let index = 0; index < head.columnStarts.count; index++) {
      reader.position = head.columnStarts.items[index]!;
      column.read(reader, head.columnEnds.items[index]!, limits.samplesMax);
      if (into.count + into.rejections.length + column.values.count > entriesMax) {
        throw new DecodeError('PAYLOAD_OVER_LIMIT', `the payload has more than ${limits.samplesMax} samples`);
      }
      addColumn(into, limits);
    }
  },
};

function readHead(limits: DecodeLimits): void {
  resetHead();
  while (reader.next()) {
    switch (reader.fieldNumber) {
      case 1:
        reader.expect(WIRE_VARINT);
        head.time = reader.readSigned();
        break;
      case 2:
        reader.expect(WIRE_FIXED64);
        head.value = reader.readDouble();
        break;
      case 3:
        reader.expect(WIRE_VARINT);
        head.value = reader.readUnsigned() !== 0;
        break;
      case 4:
        head.value = readText(textBetween);
        break;
      case 5:
        reader.expect(WIRE_VARINT);
        head.quality = reader.readUnsigned();
        break;
      case 6:
        head.metric = readText(nameBetween);
        break;
      case 7:
        head.unit = readText(nameBetween);
        break;
      case 8:
        noteColumn(limits);
        break;
      case 9:
        readNumbers(reader, WIRE_VARINT, SINT64, head.timeDeltas, limits.samplesMax);
        break;
      case 10:
        reader.expect(WIRE_VARINT);
        head.interval = reader.readUnsigned();
        break;
      default:
        reader.skip();
    }
  }
  if (!Number.isNaN(head.time) && !(head.time >= 0 && head.time <= TIME_MAX)) {
    throw new DecodeError('TIME_INVALID', `time_us is ${head.time}; send microseconds between 1970 and 2200`);
  }
}

function resetHead(): void {
  head.time = Number.NaN;
  head.value = undefined;
  head.quality = QUALITY_GOOD;
  head.metric = '';
  head.unit = '';
  head.interval = 0;
  head.timeDeltas.clear();
  head.columnStarts.clear();
  head.columnEnds.clear();
}

function readText(between: (start: number, end: number) => string): string {
  reader.expect(WIRE_BYTES);
  const end = reader.readLengthDelimited();
  const text = between(reader.position, end);
  reader.position = end;
  return text;
}

/** Columns count against samplesMax as samples do: empty ones cost as well. */
function noteColumn(limits: DecodeLimits): void {
  reader.expect(WIRE_BYTES);
  if (head.columnStarts.count === limits.samplesMax) {
    throw new DecodeError('PAYLOAD_OVER_LIMIT', `the payload has more than ${limits.samplesMax} columns`);
  }
  const end = reader.readLengthDelimited();
  head.columnStarts.push(reader.position);
  head.columnEnds.push(end);
  reader.position = end;
}

function addReading(into: DecodedBatch, limits: DecodeLimits): void {
  const metric = head.metric === '' ? METRIC_VALUE : head.metric;
  if (!isMetricKey(metric, limits.metricKeyLengthMax)) rejectMetricKey(metric, into, limits);
  else if (head.quality > 255) rejectColumn(metric, `quality ${head.quality} is no OPC byte (0 to 255)`, into);
  else if (addScalar(metric, head.value, head.time, head.quality, into, limits) && head.unit !== '') {
    into.unitOfLast(head.unit);
  }
}

/** Adds deltas up from the base time. False where there are deltas and a time is not within 1970 to 2200. */
function timesFromDeltas(deltas: NumberList, times: NumberList): boolean {
  times.clear();
  let time = head.time;
  let within = true;
  for (let index = 0; index < deltas.count; index++) {
    time += deltas.items[index]!;
    within &&= time >= 0 && time <= TIME_MAX;
    times.push(time);
  }
  return within;
}

/** Times at a fixed interval from the base time. False where the last one is not within 1970 to 2200. */
function timesFromInterval(interval: number, count: number, times: NumberList): boolean {
  times.clear();
  for (let index = 0; index < count; index++) times.push(head.time + index * interval);
  return count === 0 || times.items[count - 1]! <= TIME_MAX;
}

/** The time axis of the column that was read; null where none fits, which is rejected, and where it has no values. */
function axisOfColumn(metric: string, into: DecodedBatch): NumberList | null {
  const count = column.values.count;
  if (count === 0) return null;
  let axis = ownTimes;
  let within = true;
  if (column.timeDeltas.count > 0) within = timesFromDeltas(column.timeDeltas, ownTimes);
  else if (column.interval > 0 && count > 1) within = timesFromInterval(column.interval, count, ownTimes);
  else if (sharedTimes.count > 0) axis = sharedTimes;
  else if (head.interval > 0 && count > 1) within = timesFromInterval(head.interval, count, ownTimes);
  else {
    ownTimes.clear();
    ownTimes.push(head.time);
  }
  if (!within) {
    const message = `metric ${shown(metric)}: its times leave 1970 to 2200, or there is none to count from (time_us)`;
    into.reject(metric, 'TIME_INVALID', message);
    return null;
  }
  if (axis.count !== count) {
    rejectColumn(metric, `has ${count} values for ${axis.count} times; give time deltas for all, or an interval`, into);
    return null;
  }
  return axis;
}

function addColumn(into: DecodedBatch, limits: DecodeLimits): void {
  const metric =
    column.metricStart === column.metricEnd ? METRIC_VALUE : nameBetween(column.metricStart, column.metricEnd);
  if (!isMetricKey(metric, limits.metricKeyLengthMax)) {
    rejectMetricKey(metric, into, limits);
    return;
  }
  const problem = columnProblem();
  if (problem !== null) rejectColumn(metric, problem, into);
  const axis = problem === null ? axisOfColumn(metric, into) : null;
  if (axis === null) return;
  const first = into.count;
  if (column.kind === 'text') addTexts(metric, axis.items, into, limits);
  else if (column.kind === 'boolean') addBooleans(metric, axis.items, into);
  else addNumbers(metric, axis.items, into);
  addUnit(first, into);
}

function columnProblem(): string | null {
  const count = column.values.count;
  const qualities = column.qualityEnd - column.qualityStart;
  if (column.kind === 'mixed') return 'fills several of doubles, floats, integers, booleans and texts';
  if (column.decimals > DECIMALS_MAX) return `decimals is ${column.decimals}, the limit is ${DECIMALS_MAX}`;
  if (qualities > 1 && qualities !== count) {
    return `has ${count} values and ${qualities} quality bytes; give none, one or one each`;
  }
  return null;
}

function addNumbers(metric: string, times: Float64Array, into: DecodedBatch): void {
  const { items, count } = column.values;
  // A division by an exact power of ten gives the double that is nearest to the decimal number.
  const divisor = column.kind === 'integer' ? 10 ** column.decimals : 1;
  let refused = 0;
  for (let index = 0; index < count; index++) {
    const value = items[index]! / divisor;
    if (Number.isFinite(value)) into.addNumber(metric, times[index]!, value, qualityAt(index));
    else refused += 1;
  }
  if (refused > 0) rejectColumn(metric, `${refused} of ${count} values are not finite (NaN, Infinity)`, into);
}

function addBooleans(metric: string, times: Float64Array, into: DecodedBatch): void {
  const { items, count } = column.values;
  for (let index = 0; index < count; index++) {
    into.addBoolean(metric, times[index]!, items[index] !== 0, qualityAt(index));
  }
}

function addTexts(metric: string, times: Float64Array, into: DecodedBatch, limits: DecodeLimits): void {
  const { items, count } = column.values;
  for (let index = 0; index < count; index++) {
    const text = reader.textBetween(items[index]!, column.textEnds.items[index]!);
    addScalar(metric, text, times[index]!, qualityAt(index), into, limits);
  }
}

/** The same unit for all rows of the column; the batch keeps units by row. */
function addUnit(first: number, into: DecodedBatch): void {
  if (column.unitStart === column.unitEnd) return;
  const unit = nameBetween(column.unitStart, column.unitEnd);
  for (let row = first; row < into.count; row++) into.units.set(row, unit);
}

function qualityAt(index: number): number {
  const count = column.qualityEnd - column.qualityStart;
  if (count === 0) return QUALITY_GOOD;
  return reader.bytes[column.qualityStart + (count === 1 ? 0 : index)]!;
}

function rejectColumn(metric: string, problem: string, into: DecodedBatch): void {
  into.reject(metric, 'VALUE_NOT_ACCEPTED', `metric ${shown(metric)}: ${problem}`);
}
