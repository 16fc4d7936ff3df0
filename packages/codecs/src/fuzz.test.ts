/** No input makes a decoder throw anything but DecodeError, go beyond its limits or leave something that is not finite. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Codec, DEFAULT_DECODE_LIMITS, DecodeError } from './codec.ts';
import { CsvBatch } from './csv/csv-batch.ts';
import { CsvDecoder } from './csv/csv-decoder.ts';
import { DecodedBatch } from './decoded-batch.ts';
import { encodeProtobuf } from './encode/protobuf.ts';
import { CODECS } from './registry.ts';

const RUNS = { numRuns: 1500 };
const LIMITS = { ...DEFAULT_DECODE_LIMITS, payloadBytesMax: 4096, samplesMax: 50 };
const batch = new DecodedBatch(64);

/** Decodes behind an earlier record's samples, takes back what failed, and checks what is left. */
function decodeSafely(codec: Codec, payload: Uint8Array): void {
  batch.reset();
  batch.beginRecord(0);
  batch.addNumber('before', 0, 1, 192);
  batch.beginRecord(1);
  try {
    codec.decode(payload, batch, LIMITS);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    batch.truncate(1);
  }
  expect(batch.count).toBeLessThanOrEqual(1 + LIMITS.samplesMax);
  expect(batch.rejections.length).toBeLessThanOrEqual(2 * LIMITS.samplesMax);
  for (let row = 0; row < batch.count; row++) {
    const time = batch.sourceTime[row]!;
    expect(Number.isNaN(time) || (Number.isInteger(time) && time >= 0)).toBe(true);
    expect(Number.isFinite(batch.value[row]!) || batch.texts.has(row)).toBe(true);
    expect(batch.metric[row]!.length).toBeGreaterThan(0);
  }
}

const mutation = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 3 }) });

function mutated(payload: Uint8Array, mutations: { at: number; remove: number; insert: Uint8Array }[]): Uint8Array {
  let bytes = Buffer.from(payload);
  for (const { at, remove, insert } of mutations) {
    const place = at % (bytes.length + 1);
    bytes = Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)]);
  }
  return bytes;
}

const jsonText = fc
  .record({
    ts: fc.oneof(fc.constant(undefined), fc.integer(), fc.double(), fc.string()),
    metrics: fc.oneof(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), fc.jsonValue()),
  })
  .chain((message) => fc.constantFrom(message, [message, message], message.metrics))
  .map((value) => Buffer.from(JSON.stringify(value) ?? 'undefined'));

const sensorData = fc
  .record({
    sourceTime: fc.option(fc.nat(), { nil: undefined }),
    value: fc.option(fc.double(), { nil: undefined }),
    intervalMicros: fc.option(fc.nat({ max: 1000 }), { nil: undefined }),
    columns: fc.array(
      fc.record({
        metric: fc.string(),
        values: fc.oneof(fc.array(fc.double()), fc.array(fc.string()), fc.array(fc.boolean())),
        quality: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }),
      }),
    ),
  })
  .map((message) => encodeProtobuf(message));

const csvText = fc
  .array(
    fc.array(
      fc.constantFrom('time', 'a', '1', '2,5', '1e999', '"', '"x;y"', '\r', '', '2024-01-01T00:00:00Z', 'True', 'é'),
      {
        maxLength: 6,
      },
    ),
  )
  .chain((rows) => fc.constantFrom(',', ';', '\t').map((mark) => rows.map((cells) => cells.join(mark)).join('\n')));

describe('fuzz', () => {
  for (const codec of CODECS) {
    it(`${codec.id}: random bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => decodeSafely(codec, payload)),
        RUNS,
      );
    });
    it(`${codec.id}: valid payloads, mutated`, () => {
      const valid = codec.id === 'protobuf' ? sensorData : jsonText;
      fc.assert(
        fc.property(valid, fc.array(mutation, { maxLength: 4 }), (payload, mutations) =>
          decodeSafely(codec, mutated(payload, mutations)),
        ),
        RUNS,
      );
    });
  }

  it('csv: any text, cut anywhere, gives the same as in one piece', () => {
    const decode = (chunks: readonly Uint8Array[]): unknown => {
      const into = new CsvBatch();
      const decoder = new CsvDecoder();
      try {
        for (const chunk of chunks) decoder.push(chunk, into);
        decoder.end(into);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return error.code;
      }
      const { count, metric, value, texts } = into.samples;
      return [count, metric, [...value.subarray(0, count)], [...texts], into.lineNumbers, into.problems];
    };
    fc.assert(
      fc.property(csvText, fc.integer({ min: 1, max: 7 }), (content, size) => {
        const bytes = Buffer.from(content);
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        expect(decode(chunks)).toEqual(decode([bytes]));
      }),
      RUNS,
    );
  });
});
