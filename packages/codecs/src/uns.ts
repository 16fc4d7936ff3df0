/**
 * The codec `uns`, for topics that name the tag: { "value": 1, "ts": …, "quality": "good", "unit": "Cel" }, a bare JSON
 * number, boolean or string, or plain text. The metric is 'value'; the mapping of the topic says what it is really called.
 *
 * An object without "value" brings each of its fields but ts, quality and unit as a metric of the field's name.
 * Plain text that reads true or false (any case) is a boolean; NaN, Infinity and null are rejected, anything else is text.
 */
import { QUALITY_GOOD } from '@fieldline/model';
import { type Codec, DecodeError, type DecodeLimits } from './codec.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { parseJson } from './json-text.ts';
import { addJsonValue, addScalar, isObject, kindOf, qualityByte, sourceTimeOf, timeProblem } from './json-value.ts';
import { isMetricKey, METRIC_VALUE, rejectMetricKey } from './metric-key.ts';
import { payloadText } from './payload-text.ts';

export const unsCodec: Codec = {
  id: 'uns',
  decode(payload, into, limits) {
    const text = payloadText(payload, limits).trim();
    if (text === '') throw new DecodeError('PAYLOAD_EMPTY', 'the payload is blank');
    if (!/^[{["]/.test(text)) {
      addScalar(METRIC_VALUE, plainValue(text), Number.NaN, QUALITY_GOOD, into, limits);
      return;
    }
    const value = parseJson(text, limits);
    if (typeof value === 'string') addScalar(METRIC_VALUE, value, Number.NaN, QUALITY_GOOD, into, limits);
    else if (!isObject(value)) throw new DecodeError('PAYLOAD_WRONG_SHAPE', `got ${kindOf(value)}; send one value`);
    else if (Object.hasOwn(value, 'value')) addJsonValue(METRIC_VALUE, value, Number.NaN, into, limits);
    else addFields(value, into, limits);
  },
};

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function plainValue(text: string): unknown {
  if (JSON_NUMBER.test(text)) return Number(text);
  switch (text.toLowerCase()) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'null':
      return null;
    case 'nan':
    case 'infinity':
    case '-infinity':
      return Number.NaN;
    default:
      return text;
  }
}

function addFields(fields: Record<string, unknown>, into: DecodedBatch, limits: DecodeLimits): void {
  const sourceTime = sourceTimeOf(fields.ts);
  if (sourceTime === null) throw new DecodeError('TIME_INVALID', timeProblem(fields.ts));
  const quality = qualityByte(fields.quality);
  if (quality < 0) {
    throw new DecodeError('VALUE_NOT_ACCEPTED', 'quality must be good, uncertain, bad or 0 to 255');
  }
  const metrics = Object.keys(fields).filter((field) => field !== 'ts' && field !== 'quality' && field !== 'unit');
  if (metrics.length > limits.samplesMax) {
    throw new DecodeError('PAYLOAD_OVER_LIMIT', `${metrics.length} fields, the limit is ${limits.samplesMax}`);
  }
  for (const metric of metrics) {
    if (isMetricKey(metric, limits.metricKeyLengthMax)) {
      addScalar(metric, fields[metric], sourceTime, quality, into, limits);
    } else rejectMetricKey(metric, into, limits);
  }
}
