import { describe, expect, it } from 'vitest';
import { bytesOf, decoded, refusal } from '../test/decoding.ts';
import { encodeJson, encodeJsonBatch } from './encode/json.ts';
import { jsonCodec } from './json.ts';

const MS = 1706370000000;
const US = MS * 1000;
const json = (payload: string | object) => decoded(jsonCodec, bytesOf(payload));
const good = (metric: string, value: number | boolean | string, time = US) => ({ metric, time, value, quality: 192 });

describe('json: times', () => {
  for (const [name, ts, time] of [
    ['milliseconds', MS, US],
    ['fraction of a millisecond', MS + 0.25, US + 250],
    ['ISO 8601 in UTC', '2024-01-27T15:40:00.000Z', US],
    ['ISO 8601 with microseconds and zone', '2024-01-27T16:40:00.000123+01:00', US + 123],
    ['absent', undefined, Number.NaN],
    ['null', null, Number.NaN],
  ] as const) {
    it(name, () => expect(json({ ts, metrics: { a: 1 } }).rows).toEqual([good('a', 1, time)]));
  }
  for (const ts of [-1, 7.3e15, '1706370000000', 'yesterday', '2024-02-30', true, {}, []]) {
    it(`refuses ${JSON.stringify(ts)}`, () => {
      expect(refusal(jsonCodec, bytesOf({ ts, metrics: { a: 1 } }))).toBe('TIME_INVALID');
    });
  }
});

describe('json: metrics', () => {
  it('takes numbers, booleans and texts', () => {
    const { rows } = json({ ts: MS, metrics: { a: -0.5, b: true, c: 'RUNNING', d: 1e-300 } });
    expect(rows).toEqual([good('a', -0.5), good('b', true), good('c', 'RUNNING'), good('d', 1e-300)]);
  });

  it('takes the detailed form: unit, quality, own time', () => {
    const { rows } = json({
      ts: MS,
      metrics: {
        a: { value: 1, unit: 'Cel', quality: 'uncertain', ts: MS + 1 },
        b: { value: 'x', quality: 24, more: [] },
        c: { value: false, unit: null, quality: null },
      },
    });
    expect(rows).toEqual([
      { metric: 'a', time: US + 1000, value: 1, quality: 64, unit: 'Cel' },
      { metric: 'b', time: US, value: 'x', quality: 24 },
      good('c', false),
    ]);
  });

  it('rejects what is no sample and keeps the rest', () => {
    const text = `{"metrics":{"a":1,"nul":null,"arr":[1],"obj":{"x":1},"big":1e400,"nan":NaN,"inf":-Infinity,"q":{"value":1,"quality":256},
      "t":{"value":1,"ts":"never"},"u":{"value":1,"unit":5},"nv":{"value":null},"zero":"a\\u0000b","half":"\\ud800","z":2}}`;
    const { rows, rejected } = json(text);
    expect(rows.map((row) => row.metric)).toEqual(['a', 'z']);
    expect(rejected).toEqual([
      ...['nul', 'arr', 'obj', 'big', 'nan', 'inf', 'q'].map((metric) => `${metric} VALUE_NOT_ACCEPTED`),
      't TIME_INVALID',
      ...['u', 'nv', 'zero', 'half'].map((metric) => `${metric} VALUE_NOT_ACCEPTED`),
    ]);
  });

  it('leaves NaN inside texts and keys alone', () => {
    const { rows } = json('{"metrics":{"NaN \\" NaN":NaN,"Infinity":"NaN, \\"Infinity\\""}}');
    expect(rows).toEqual([good('Infinity', 'NaN, "Infinity"', Number.NaN)]);
  });

  it('treats __proto__ and constructor as names', () => {
    const { rows } = json('{"metrics":{"__proto__":1,"constructor":2,"toString":{"value":3}}}');
    expect(rows.map((row) => [row.metric, row.value])).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ['toString', 3],
    ]);
    expect(refusal(jsonCodec, bytesOf('{"__proto__":{"metrics":{"a":1}}}'))).toBe('PAYLOAD_WRONG_SHAPE');
  });

  it('takes the last of doubled keys', () => {
    expect(json('{"metrics":{"a":1,"a":2}}').rows.map((row) => row.value)).toEqual([2]);
  });

  it('rejects keys that cannot be stored', () => {
    const long = 'x'.repeat(257);
    const { rows, rejected } = json({ metrics: { '': 1, [long]: 1, 'a\nb': 1, '\u0085': 1, '\u007f': 1, Größe: 1 } });
    expect(rows.map((row) => row.metric)).toEqual(['Größe']);
    expect(rejected).toHaveLength(5);
    expect(rejected[1]).toBe(`${long.slice(0, 256)} METRIC_KEY_INVALID`);
    expect(json('{"metrics":{"\\ud800":1}}').rejected).toEqual(['\ud800 METRIC_KEY_INVALID']);
  });

  it('rejects texts above the limit', () => {
    expect(json({ metrics: { a: 'x'.repeat(4097), b: 'x'.repeat(4096) } }).rejected).toEqual(['a PAYLOAD_OVER_LIMIT']);
  });
});

describe('json: arrays of messages', () => {
  it('keeps the good messages beside bad ones', () => {
    const { rows, rejected } = json([
      { ts: MS, metrics: { a: 1 } },
      { ts: 'x', metrics: { a: 2 } },
      5,
      { metrics: { a: 3 } },
    ]);
    expect(rows).toEqual([good('a', 1), good('a', 3, Number.NaN)]);
    expect(rejected).toEqual([' TIME_INVALID', ' PAYLOAD_WRONG_SHAPE']);
  });

  it('accepts messages without any metric', () => {
    expect(json([])).toEqual({ rows: [], rejected: [] });
    expect(json({ metrics: {} })).toEqual({ rows: [], rejected: [] });
  });
});

describe('json: whole payloads that are refused', () => {
  for (const [payload, code] of [
    ['', 'PAYLOAD_EMPTY'],
    ['{"metrics":{"a":1}', 'PAYLOAD_NOT_DECODABLE'],
    ['{"metrics":{"a":NaN}', 'PAYLOAD_NOT_DECODABLE'],
    ['hello', 'PAYLOAD_NOT_DECODABLE'],
    ['5', 'PAYLOAD_WRONG_SHAPE'],
    ['{"temp":1}', 'PAYLOAD_WRONG_SHAPE'],
    ['{"metrics":[1]}', 'PAYLOAD_WRONG_SHAPE'],
    ['{"metrics":null}', 'PAYLOAD_WRONG_SHAPE'],
  ] as const) {
    it(`${payload || '(empty)'} → ${code}`, () => expect(refusal(jsonCodec, bytesOf(payload))).toBe(code));
  }

  it('bytes that are not UTF-8', () => {
    expect(refusal(jsonCodec, Uint8Array.of(0x7b, 0xff, 0x7d))).toBe('PAYLOAD_NOT_DECODABLE');
  });

  it('a byte order mark is tolerated', () => {
    expect(json('\ufeff{"metrics":{"a":1}}').rows).toHaveLength(1);
  });

  it('limits: bytes, samples, rejections, depth', () => {
    const metrics = (count: number, value: unknown) =>
      bytesOf({ metrics: Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, value])) });
    expect(refusal(jsonCodec, bytesOf({ metrics: { a: 1 } }), { payloadBytesMax: 10 })).toBe('PAYLOAD_OVER_LIMIT');
    expect(decoded(jsonCodec, metrics(10_000, 1)).rows).toHaveLength(10_000);
    expect(refusal(jsonCodec, metrics(11, 1), { samplesMax: 10 })).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(jsonCodec, metrics(11, null), { samplesMax: 10 })).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(jsonCodec, bytesOf(`[${'{},'.repeat(20)}{}]`), { samplesMax: 10 })).toBe('PAYLOAD_OVER_LIMIT');
  });

  it('depth bombs', () => {
    const bomb = (depth: number, open: string, close: string) =>
      bytesOf(`{"metrics":{"a":1,"b":${open.repeat(depth)}1${close.repeat(depth)}}}`);
    expect(refusal(jsonCodec, bomb(10_000, '[', ']'))).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(jsonCodec, bomb(100_000, '{"":', '}'))).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(jsonCodec, bytesOf('['.repeat(900_000)))).toBe('PAYLOAD_OVER_LIMIT');
    expect(decoded(jsonCodec, bomb(1000, '[', ']')).rejected).toEqual(['b VALUE_NOT_ACCEPTED']);
    // Brackets in texts do not count.
    expect(
      decoded(jsonCodec, bytesOf({ metrics: { a: `\\"${'['.repeat(4000)}`, b: '{'.repeat(4000) } })).rows,
    ).toHaveLength(2);
  });
});

describe('json: encoder', () => {
  it('writes what the codec reads', () => {
    expect(decoded(jsonCodec, encodeJson({ a: 1.5, b: 'x' }, US + 250)).rows).toEqual([
      good('a', 1.5, US + 250),
      good('b', 'x', US + 250),
    ]);
    expect(
      decoded(jsonCodec, encodeJsonBatch([{ metrics: { a: 1 }, sourceTime: US }, { metrics: { a: 2 } }])).rows,
    ).toEqual([good('a', 1), good('a', 2, Number.NaN)]);
  });
});
