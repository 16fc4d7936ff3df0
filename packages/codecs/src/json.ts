/**
 * The codec `json`: { "ts": 1706370000000, "metrics": { "temp": 25.5 } }, or an array of such messages.
 *
 * - ts: milliseconds since 1970 (fractions allowed) or ISO 8601; absent or null = the payload tells no time.
 * - a metric is a number, a boolean, a text, or { "value": 1, "unit": "Cel", "quality": "good" | 0..255, "ts": … }.
 * - of a key that stands twice in one object the last one counts, as JSON.parse has it.
 * - a metric that cannot be accepted is rejected and the others go on; so is an array's message that is wrong as a
 *   whole (its rejection has the metric ''). A single message that is wrong as a whole throws.
 * - no metrics at all ({ "metrics": {} }, []) is fine and gives no samples.
 */
import { type Micros, QUALITY_GOOD } from '@fieldline/model';
import { type Codec, DecodeError, type DecodeLimits } from './codec.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { parseJson } from './json-text.ts';
import { addJsonValue, isObject, kindOf, sourceTimeOf, timeProblem } from './json-value.ts';
import { hasCleanCharacters, rejectMetricKey } from './metric-key.ts';
import { payloadText, shown } from './payload-text.ts';

export const jsonCodec: Codec = {
  id: 'json',
  decode(payload, into, limits) {
    const text = payloadText(payload, limits);
    const message = parseJson(text, limits);
    // JSON has no bare control characters below U+0020: without an escape, DEL or non-ASCII, every key is clean.
    const cleanKeys = text.length === payload.length && !text.includes('\\') && !text.includes('\u007f');
    const entriesMax = into.count + into.rejections.length + limits.samplesMax;
    if (Array.isArray(message)) addMessages(message, cleanKeys, entriesMax, into, limits);
    else addMessage(message, cleanKeys, entriesMax, into, limits);
  },
};

function addMessages(
  messages: readonly unknown[],
  cleanKeys: boolean,
  entriesMax: number,
  into: DecodedBatch,
  limits: DecodeLimits,
): void {
  for (let index = 0; index < messages.length; index++) {
    checkRoom(entriesMax, into, limits);
    try {
      addMessage(messages[index], cleanKeys, entriesMax, into, limits);
    } catch (error) {
      if (!(error instanceof DecodeError) || error.code === 'PAYLOAD_OVER_LIMIT') throw error;
      into.reject('', error.code, `message ${index} of the array: ${error.message}`);
    }
  }
}

/** One { ts, metrics }. Throws where it is wrong as a whole; nothing has been added then, but for PAYLOAD_OVER_LIMIT. */
function addMessage(
  message: unknown,
  cleanKeys: boolean,
  entriesMax: number,
  into: DecodedBatch,
  limits: DecodeLimits,
): void {
  if (!isObject(message)) {
    throw new DecodeError('PAYLOAD_WRONG_SHAPE', `got ${kindOf(message)}; send { "ts": …, "metrics": { … } }`);
  }
  const metrics = message.metrics;
  if (!isObject(metrics)) throw new DecodeError('PAYLOAD_WRONG_SHAPE', metricsProblem(message));
  const sourceTime = sourceTimeOf(message.ts);
  if (sourceTime === null) throw new DecodeError('TIME_INVALID', timeProblem(message.ts));
  addMetrics(metrics, sourceTime, cleanKeys, entriesMax, into, limits);
}

function addMetrics(
  metrics: Record<string, unknown>,
  sourceTime: Micros,
  cleanKeys: boolean,
  entriesMax: number,
  into: DecodedBatch,
  limits: DecodeLimits,
): void {
  // Object.keys, so that `__proto__` and `constructor` are names like any other.
  const keys = Object.keys(metrics);
  for (let index = 0; index < keys.length; index++) {
    checkRoom(entriesMax, into, limits);
    const metric = keys[index]!;
    const value = metrics[metric];
    if (
      metric.length === 0 ||
      metric.length > limits.metricKeyLengthMax ||
      !(cleanKeys || hasCleanCharacters(metric))
    ) {
      rejectMetricKey(metric, into, limits);
    } else if (typeof value === 'number' && Number.isFinite(value)) {
      into.addNumber(metric, sourceTime, value, QUALITY_GOOD);
    } else {
      addJsonValue(metric, value, sourceTime, into, limits);
    }
  }
}

/** Samples and rejections together stay within samplesMax: a payload of nothing but bad metrics is bounded as well. */
function checkRoom(entriesMax: number, into: DecodedBatch, limits: DecodeLimits): void {
  if (into.count + into.rejections.length < entriesMax) return;
  throw new DecodeError(
    'PAYLOAD_OVER_LIMIT',
    `the payload has more than ${limits.samplesMax} samples; send them in several messages`,
  );
}

function metricsProblem(message: Record<string, unknown>): string {
  if (Object.hasOwn(message, 'metrics')) return `"metrics" is ${kindOf(message.metrics)}; it must be an object`;
  const first = Object.keys(message)[0];
  const found = first === undefined ? 'the message is empty' : `the message starts with ${shown(first)}`;
  return `${found} and has no "metrics"; send { "ts": …, "metrics": { … } }`;
}
