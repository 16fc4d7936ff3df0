import { describe, expect, it } from 'vitest';
import { bytesOf, decoded, refusal } from '../test/decoding.ts';
import { unsCodec } from './uns.ts';

const uns = (payload: string | object) => decoded(unsCodec, bytesOf(payload));

describe('uns: one value', () => {
  for (const [payload, value] of [
    ['25.5', 25.5],
    [' -1e3\n', -1000],
    ['true', true],
    ['False', false],
    ['"RUNNING"', 'RUNNING'],
    ['RUNNING fast', 'RUNNING fast'],
    ['1,5', '1,5'],
    ['007', '007'],
    ['{"value":3}', 3],
  ] as const) {
    it(payload, () => {
      expect(uns(payload).rows).toEqual([{ metric: 'value', time: Number.NaN, value, quality: 192 }]);
    });
  }

  it('with time, quality and unit', () => {
    expect(uns({ value: 1, ts: 1706370000000, quality: 'bad', unit: 'bar' }).rows).toEqual([
      { metric: 'value', time: 1706370000000000, value: 1, quality: 0, unit: 'bar' },
    ]);
  });

  for (const payload of [
    'NaN',
    'null',
    '-Infinity',
    '1e999',
    '{"value":null}',
    '{"value":[1]}',
    '{"value":1,"quality":"fair"}',
  ]) {
    it(`rejects ${payload}`, () => expect(uns(payload)).toEqual({ rows: [], rejected: ['value VALUE_NOT_ACCEPTED'] }));
  }
});

describe('uns: several fields', () => {
  it('brings each field but ts, quality and unit', () => {
    const { rows, rejected } = uns({
      ts: 1706370000000,
      quality: 64,
      unit: 'x',
      a: 1,
      b: true,
      c: 'on',
      d: null,
      '': 2,
    });
    expect(rows).toEqual([
      { metric: 'a', time: 1706370000000000, value: 1, quality: 64 },
      { metric: 'b', time: 1706370000000000, value: true, quality: 64 },
      { metric: 'c', time: 1706370000000000, value: 'on', quality: 64 },
    ]);
    expect(rejected).toEqual(['d VALUE_NOT_ACCEPTED', ' METRIC_KEY_INVALID']);
  });
});

describe('uns: refused as a whole', () => {
  for (const [payload, code] of [
    ['', 'PAYLOAD_EMPTY'],
    ['  ', 'PAYLOAD_EMPTY'],
    ['[1,2]', 'PAYLOAD_WRONG_SHAPE'],
    ['{"value":1', 'PAYLOAD_NOT_DECODABLE'],
    ['{"a":1,"ts":-5}', 'TIME_INVALID'],
  ] as const) {
    it(`${payload} → ${code}`, () => expect(refusal(unsCodec, bytesOf(payload))).toBe(code));
  }
});
