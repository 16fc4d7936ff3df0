/** What a metric may be called: 1 to metricKeyLengthMax characters, no control characters, no half surrogates. */
import type { DecodeLimits } from './codec.ts';
import type { DecodedBatch } from './decoded-batch.ts';
import { shown } from './payload-text.ts';

/** The metric of a payload that gives none, because its topic says what it is. */
export const METRIC_VALUE = 'value';

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is control characters that are looked for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** True for a metric key that may be stored. */
export function isMetricKey(key: string, lengthMax: number): boolean {
  return key.length > 0 && key.length <= lengthMax && hasCleanCharacters(key);
}

/** True where there is neither a control character nor half a surrogate pair in the text. */
export function hasCleanCharacters(text: string): boolean {
  return !CONTROL_CHARACTER.test(text) && text.isWellFormed();
}

/** Tells the batch that a metric cannot be taken because of its name. */
export function rejectMetricKey(key: string, into: DecodedBatch, limits: DecodeLimits): void {
  const problem =
    key.length === 0
      ? 'is empty'
      : key.length > limits.metricKeyLengthMax
        ? `has ${key.length} characters, the limit is ${limits.metricKeyLengthMax}`
        : 'has control characters or half a surrogate pair';
  into.reject(key.slice(0, limits.metricKeyLengthMax), 'METRIC_KEY_INVALID', `metric key ${shown(key)} ${problem}`);
}
