import { DEFAULT_DECODE_LIMITS, encodeJson } from '@fieldline/codecs';
import { expect, test } from 'vitest';
import { Routes } from '../routes.ts';
import { device, directoryOf, logged, origin, record, type TestRecord } from '../testing.ts';
import { Work } from '../work.ts';
import { type CodecLookup, decode } from './decode.ts';

const good = origin('pump');

function decoded(records: TestRecord[], codecOf?: CodecLookup): Work {
  const routes = new Routes(directoryOf([device('pump')]));
  const batch = logged(records);
  const work = new Work();
  const of = batch.origins.map((one) => routes.routeOf(one));
  work.begin(batch, of);
  decode(work, DEFAULT_DECODE_LIMITS, codecOf);
  return work;
}

test.each<[string, TestRecord[], { samples: string[]; failures: string[]; rejections: string[] }]>([
  [
    'two records',
    [record(good, { metrics: { a: 1 } }), record(good, { metrics: { b: 2 } })],
    { samples: ['0 a', '1 b'], failures: [], rejections: [] },
  ],
  [
    'no JSON',
    [record(good, Buffer.from('{')), record(good, { metrics: { b: 2 } })],
    { samples: ['1 b'], failures: ['0 PAYLOAD_NOT_DECODABLE'], rejections: [] },
  ],
  ['empty', [record(good, new Uint8Array())], { samples: [], failures: ['0 PAYLOAD_EMPTY'], rejections: [] }],
  [
    'one metric bad',
    [record(good, { metrics: { a: null, b: 2 } })],
    { samples: ['0 b'], failures: [], rejections: ['0 a VALUE_NOT_ACCEPTED'] },
  ],
  [
    'unknown codec',
    [record({ ...good, codec: 'morse' }, '…')],
    { samples: [], failures: ['0 CODEC_UNKNOWN'], rejections: [] },
  ],
  [
    'unknown device',
    [record(origin('ghost'), { metrics: { a: 1 } })],
    { samples: [], failures: ['0 DEVICE_UNKNOWN'], rejections: [] },
  ],
])('%s', (_, records, expected) => {
  const work = decoded(records);
  expect({
    samples: work.decoded.metric.map((metric, row) => `${work.decoded.recordIndex[row]} ${metric}`),
    failures: work.failures.map(({ recordIndex, code }) => `${recordIndex} ${code}`),
    rejections: work.rejections.map(({ recordIndex, metric, code }) => `${recordIndex} ${metric} ${code}`),
  }).toEqual(expected);
});

test('a codec with a bug costs the record that meets it, and what it had added is taken back', () => {
  const broken: CodecLookup = () => ({
    id: 'broken',
    decode: (payload, into) => {
      into.addNumber('a', Number.NaN, payload.length, 192);
      if (payload.length > 20) throw new TypeError('undefined is not a function');
    },
  });
  const work = decoded([record(good, encodeJson({ long: 'x'.repeat(30) })), record(good, { a: 1 })], broken);
  expect(work.failures).toEqual([
    { recordIndex: 0, code: 'INTERNAL', message: 'codec broken failed: undefined is not a function' },
  ]);
  expect([work.decoded.count, work.decoded.recordIndex[0]]).toEqual([1, 1]);
});
