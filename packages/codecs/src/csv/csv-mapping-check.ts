/** A mapping that came from YAML, JSON or a command line, checked: what is wrong is told by its key. */
import { DecodeError } from '../codec.ts';
import type { CsvMapping } from './csv-mapping.ts';

type Check = (value: unknown) => string | null;

const SEPARATORS = [',', ';', '\t', '|'];
const ENCODINGS = ['utf-8', 'utf-16le', 'windows-1252'];
const KINDS = ['number', 'boolean', 'text'];

const text: Check = (value) => (typeof value === 'string' && value !== '' ? null : 'must be a text');
const boolean: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false');
const column: Check = (value) => {
  const valid = typeof value === 'number' ? Number.isInteger(value) && value >= 1 : text(value) === null;
  return valid ? null : 'must be the name of a column or its number from 1';
};

function oneOf(values: readonly string[]): Check {
  return (value) =>
    values.includes(value as string) ? null : `must be one of ${values.map((one) => JSON.stringify(one)).join(', ')}`;
}

function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    for (const [index, item] of value.entries()) {
      const problem = check(item);
      if (problem !== null) return `[${index}] ${problem}`;
    }
    return null;
  };
}

function objectOf(checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must have keys and values';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      const problem = Object.hasOwn(checks, key)
        ? checks[key]!(item)
        : `is not known; known are ${Object.keys(checks).join(', ')}`;
      if (problem !== null) return `${key}: ${problem}`;
    }
    const missing = required.find((key) => (value as Record<string, unknown>)[key] === undefined);
    return missing === undefined ? null : `needs ${missing}`;
  };
}

const mappingCheck = objectOf({
  separator: oneOf(SEPARATORS),
  decimalComma: boolean,
  quote: (value) => (typeof value === 'string' && value.length === 1 ? null : 'must be one character'),
  header: boolean,
  encoding: oneOf(ENCODINGS),
  time: objectOf({ column, format: text, zone: text }),
  deviceColumn: column,
  columns: listOf(
    objectOf(
      {
        column,
        metric: text,
        unit: (value) => (typeof value === 'string' ? null : 'must be a text'),
        kind: oneOf(KINDS),
      },
      ['column'],
    ),
  ),
  long: objectOf({ metricColumn: column, valueColumn: column, unitColumn: column }, ['metricColumn', 'valueColumn']),
  missing: listOf((value) => (typeof value === 'string' ? null : 'must be a text')),
});

/** The value as a mapping. Throws DecodeError PAYLOAD_WRONG_SHAPE that names the key and what it must be. */
export function checkCsvMapping(value: unknown): CsvMapping {
  const problem = mappingCheck(value);
  if (problem !== null) throw new DecodeError('PAYLOAD_WRONG_SHAPE', `mapping: ${problem}`);
  return value as CsvMapping;
}
