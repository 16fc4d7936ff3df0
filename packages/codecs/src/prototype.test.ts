/** Names that mean something to JavaScript are names like any other: no decoder changes a prototype, and no value vanishes. */
import { afterEach, expect, test } from 'vitest';
import { DEFAULT_DECODE_LIMITS, DecodeError } from './codec.ts';
import { CsvBatch } from './csv/csv-batch.ts';
import { CsvDecoder } from './csv/csv-decoder.ts';
import type { CsvMapping } from './csv/csv-mapping.ts';
import { DecodedBatch } from './decoded-batch.ts';
import { encodeProtobuf } from './encode/protobuf.ts';
import { codecById } from './registry.ts';

const NAMES = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf', '__defineGetter__'];
const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype];
const before = PROTOTYPES.map(fingerprint);

function fingerprint(prototype: object): string {
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return descriptors.map(([name, { value, get }]) => `${name} ${String(value ?? get)}`).join('\n');
}

afterEach(() => expect(PROTOTYPES.map(fingerprint)).toEqual(before));

/** [metric, value] of all samples, and the metrics that were rejected; or the code of the refusal. */
function decoded(codec: string, payload: string | Uint8Array): unknown {
  const batch = new DecodedBatch();
  batch.beginRecord(0);
  try {
    codecById(codec)!.decode(Buffer.from(payload as string), batch, DEFAULT_DECODE_LIMITS);
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
  const samples = Array.from({ length: batch.count }, (_, row) => [batch.metric[row], batch.value[row]]);
  return { samples, rejected: batch.rejections.map(({ metric }) => metric) };
}

const kept = (...names: string[]): object => ({ samples: names.map((name) => [name, 1]), rejected: [] });
const dead = (...names: string[]): object => ({ samples: [], rejected: names });

test.each(NAMES)('a metric called %s is a metric', (name) => {
  expect(decoded('json', `{"metrics":{"${name}":1}}`)).toEqual(kept(name));
  expect(decoded('json', `{"metrics":{"${name}":{"value":1,"unit":"Cel"}}}`)).toEqual(kept(name));
  expect(decoded('json', `[{"metrics":{"${name}":1}},{"metrics":{"a":1}}]`)).toEqual(kept(name, 'a'));
  expect(decoded('uns', `{"${name}":1}`)).toEqual(kept(name));
  const protobuf = encodeProtobuf({ sourceTime: 1_000_000, columns: [{ metric: name, values: [1] }] });
  expect(decoded('protobuf', protobuf)).toEqual(kept(name));
});

test.each<[string, string, string, unknown]>([
  ['what stands below it', 'json', '{"metrics":{"__proto__":{"polluted":1}}}', dead('__proto__')],
  ['a value below it', 'json', '{"metrics":{"a":{"__proto__":{"value":1}}}}', dead('a')],
  ['a prototype', 'json', '{"metrics":{"constructor":{"prototype":{"polluted":1}}}}', dead('constructor')],
  ['written with escapes', 'json', '{"metrics":{"\\u005f_proto__":{"polluted":1},"a":1}}', expect.anything()],
  ['metrics below it', 'json', '{"__proto__":{"metrics":{"a":1}}}', 'PAYLOAD_WRONG_SHAPE'],
  ['a time below it', 'json', '{"__proto__":{"ts":5},"metrics":{"a":1}}', kept('a')],
  ['a value below it', 'uns', '{"__proto__":{"value":1}}', dead('__proto__')],
  ['a value below a prototype', 'uns', '{"constructor":{"prototype":{"value":1}}}', dead('constructor')],
  ['a quality below it', 'uns', '{"value":1,"__proto__":{"quality":"bad"}}', kept('value')],
])('%s means nothing (%s)', (_, codec, payload, outcome) => expect(decoded(codec, payload)).toEqual(outcome));

const CELLS = (name: string): string => `time,${name}\n2026-01-01T00:00:00Z,1\n`;

test.each(NAMES)('a column or a cell of a CSV file called %s is read', (name) => {
  expect(csv(CELLS(name))).toEqual({ metrics: [name], texts: [], problems: 0 });
  expect(csv(`time,text\n2026-01-01T00:00:00Z,${name}\n`)).toEqual({ metrics: ['text'], texts: [name], problems: 0 });
});

test.each(NAMES)('a mapping of a CSV file with the key or the time format %s is refused', (name) => {
  const mapping = JSON.parse(`{"${name}":{"polluted":1}}`) as CsvMapping;
  expect(() => csv(CELLS('a'), mapping)).toThrow(name);
  expect(() => csv(CELLS('a'), { time: { format: name } })).toThrow(name);
});

function csv(text: string, mapping: CsvMapping = {}): object {
  const batch = new CsvBatch();
  const decoder = new CsvDecoder(mapping);
  decoder.push(Buffer.from(text), batch);
  decoder.end(batch);
  const { metric, texts, count } = batch.samples;
  return { metrics: metric.slice(0, count), texts: [...texts.values()], problems: batch.problemCount };
}
