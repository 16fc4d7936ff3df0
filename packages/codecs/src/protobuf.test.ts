import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, type Row, refusal } from '../test/decoding.ts';
import { encodeProtobuf } from './encode/protobuf.ts';
import { ColumnSchema, SensorDataSchema } from './generated/fieldline/v1/telemetry_pb.js';
import { protobufCodec } from './protobuf.ts';

const US = 1706370000000000;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('protobuf: one reading', () => {
  it('takes at most 20 bytes with time and a double', () => {
    const payload = encodeProtobuf({ sourceTime: US, value: 25.5 });
    expect(payload.length).toBeLessThanOrEqual(20);
    expect(decoded(protobufCodec, payload).rows).toEqual([{ metric: 'value', time: US, value: 25.5, quality: 192 }]);
  });

  it('carries metric, unit, quality, booleans and texts', () => {
    const reading = { sourceTime: US, metric: 'tip', unit: 'Cel', quality: 64 };
    for (const value of [-1.5, 0, true, false, 'hot', '']) {
      expect(decoded(protobufCodec, encodeProtobuf({ ...reading, value })).rows).toEqual([
        { metric: 'tip', time: US, value, quality: 64, unit: 'Cel' },
      ]);
    }
  });

  it('without a time', () => {
    expect(decoded(protobufCodec, encodeProtobuf({ value: 1 })).rows[0]!.time).toBeNaN();
  });

  it('rejects NaN, Infinity and a quality that is no byte', () => {
    for (const message of [{ value: Number.NaN }, { value: Number.POSITIVE_INFINITY }, { value: 1, quality: 256 }]) {
      expect(decoded(protobufCodec, encodeProtobuf(message)).rejected).toEqual(['value VALUE_NOT_ACCEPTED']);
    }
  });
});

describe('protobuf: columns', () => {
  it('over a shared interval', () => {
    const payload = encodeProtobuf({
      sourceTime: US,
      intervalMicros: 10_000,
      columns: [
        { metric: 'a', unit: 'A', values: [1, 2], quality: Uint8Array.of(192, 0) },
        { metric: 'b', values: [20.15, -3.07], as: { decimals: 2 }, quality: Uint8Array.of(64) },
        { metric: 'c', values: [true, false] },
        { values: ['x', 'y'] },
      ],
    });
    expect(decoded(protobufCodec, payload).rows).toEqual([
      { metric: 'a', time: US, value: 1, quality: 192, unit: 'A' },
      { metric: 'a', time: US + 10_000, value: 2, quality: 0, unit: 'A' },
      { metric: 'b', time: US, value: 20.15, quality: 64 },
      { metric: 'b', time: US + 10_000, value: -3.07, quality: 64 },
      { metric: 'c', time: US, value: true, quality: 192 },
      { metric: 'c', time: US + 10_000, value: false, quality: 192 },
      { metric: 'value', time: US, value: 'x', quality: 192 },
      { metric: 'value', time: US + 10_000, value: 'y', quality: 192 },
    ]);
  });

  it('a time axis behind the columns, values unpacked, a column with its own axis', () => {
    // columns { metric "a" doubles [1] (unpacked) time_delta_us [+5] (unpacked) }  time_us 1000
    const payload = hex('42 0e 0a0161 19 000000000000f03f 50 0a 08 e807');
    expect(decoded(protobufCodec, payload).rows).toEqual([{ metric: 'a', time: 1005, value: 1, quality: 192 }]);
  });

  it('rejects a column that does not fit and keeps the others', () => {
    const column = (more: object) => create(ColumnSchema, { metric: 'bad', doubles: [1, 2], ...more });
    for (const [bad, code] of [
      [column({ doubles: [1, 2, 3] }), 'VALUE_NOT_ACCEPTED'],
      [column({ floats: [1] }), 'VALUE_NOT_ACCEPTED'],
      [column({ quality: Uint8Array.of(1, 2, 3) }), 'VALUE_NOT_ACCEPTED'],
      [column({ decimals: 16 }), 'VALUE_NOT_ACCEPTED'],
      [column({ timeDeltaUs: [0n, -9_000_000_000_000_000n] }), 'TIME_INVALID'],
      [column({ intervalUs: 2n ** 63n }), 'TIME_INVALID'],
    ] as const) {
      const good = create(ColumnSchema, { metric: 'good', floats: [0.5, 1.5] });
      const message = create(SensorDataSchema, { timeUs: BigInt(US), timeDeltaUs: [0n, 1n], columns: [bad, good] });
      const { rows, rejected } = decoded(protobufCodec, toBinary(SensorDataSchema, message));
      expect(rejected).toEqual([`bad ${code}`]);
      expect(rows.map((row) => row.value)).toEqual([0.5, 1.5]);
    }
  });

  it('rejects what is not finite once a column', () => {
    const payload = encodeProtobuf({
      sourceTime: US,
      intervalMicros: 1,
      columns: [{ values: [Number.NaN, 1, Number.NaN] }],
    });
    const { rows, rejected } = decoded(protobufCodec, payload);
    expect(rows).toEqual([{ metric: 'value', time: US + 1, value: 1, quality: 192 }]);
    expect(rejected).toEqual(['value VALUE_NOT_ACCEPTED']);
  });

  it('many samples without a time to count from', () => {
    const columns = [{ values: [1, 2] }];
    expect(decoded(protobufCodec, encodeProtobuf({ intervalMicros: 5, columns })).rejected).toEqual([
      'value TIME_INVALID',
    ]);
    expect(refusal(protobufCodec, encodeProtobuf({ timeDeltasMicros: [0, 1], columns }))).toBe('TIME_INVALID');
    expect(decoded(protobufCodec, encodeProtobuf({ sourceTime: US, columns })).rejected).toEqual([
      'value VALUE_NOT_ACCEPTED',
    ]);
  });
});

describe('protobuf: malformed and over the limit', () => {
  for (const [name, payload, code] of [
    ['empty', '', 'PAYLOAD_EMPTY'],
    ['field number 0', '00', 'PAYLOAD_NOT_DECODABLE'],
    ['double cut off', '11 0000', 'PAYLOAD_NOT_DECODABLE'],
    ['length beyond the end', '22 05 61', 'PAYLOAD_NOT_DECODABLE'],
    ['length of 2^64 - 1', '22 ffffffffffffffffff01 61', 'PAYLOAD_NOT_DECODABLE'],
    ['varint of eleven bytes', '08 ffffffffffffffffffff01', 'PAYLOAD_NOT_DECODABLE'],
    ['column that ends beyond its message', '42 02 1a 10', 'PAYLOAD_NOT_DECODABLE'],
    ['packed doubles of 9 bytes', '42 0b 1a09 000000000000000000', 'PAYLOAD_NOT_DECODABLE'],
    ['group', '0b 0c', 'PAYLOAD_NOT_DECODABLE'],
    ['wire type of another field', '10 05', 'PAYLOAD_NOT_DECODABLE'],
    ['text that is not UTF-8', '22 01 ff', 'PAYLOAD_NOT_DECODABLE'],
    ['negative time', '08 ffffffffffffffffff01 11 0000000000000000', 'TIME_INVALID'],
  ] as const) {
    it(name, () => expect(refusal(protobufCodec, hex(payload))).toBe(code));
  }

  it('fields that are not known are passed over', () => {
    const unknown = hex('f80601 f10600000000000000f0 fa0602aabb fd06000000f0');
    const payload = Buffer.concat([unknown, encodeProtobuf({ value: 1 }), unknown]);
    expect(decoded(protobufCodec, payload).rows).toHaveLength(1);
  });

  it('counts samples, columns and rejections against samplesMax before it takes memory', () => {
    const values = new Float64Array(100);
    const many = encodeProtobuf({ sourceTime: US, intervalMicros: 1, columns: [{ values }, { metric: 'b', values }] });
    expect(decoded(protobufCodec, many, { samplesMax: 200 }).rows).toHaveLength(200);
    expect(refusal(protobufCodec, many, { samplesMax: 199 })).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(protobufCodec, hex('4200'.repeat(11)), { samplesMax: 10 })).toBe('PAYLOAD_OVER_LIMIT');
    expect(refusal(protobufCodec, many, { payloadBytesMax: 100 })).toBe('PAYLOAD_OVER_LIMIT');
  });
});

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const key = fc.stringMatching(/^[a-z][a-z0-9_.]{0,20}$/);
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const column = (count: number) =>
  fc
    .record({
      metric: key,
      unit: fc.stringMatching(/^[a-zA-Z%]{0,5}$/),
      quality: fc.oneof(
        fc.constant(new Uint8Array(0)),
        fc.uint8Array({ minLength: count, maxLength: count }),
        fc.uint8Array({ minLength: 1, maxLength: 1 }),
      ),
      values: fc.oneof(
        fc.record({ doubles: fc.array(finite, { minLength: count, maxLength: count }) }),
        fc.record({ booleans: fc.array(fc.boolean(), { minLength: count, maxLength: count }) }),
        fc.record({ texts: fc.array(text, { minLength: count, maxLength: count }) }),
        fc.record({
          integers: fc.array(fc.maxSafeInteger().map(BigInt), { minLength: count, maxLength: count }),
          decimals: fc.integer({ min: 0, max: 15 }),
        }),
      ),
    })
    .map(({ values, ...rest }) => ({ ...rest, ...values }));

describe('protobuf: second opinion', () => {
  it('reads what the generated code writes', () => {
    const message = fc.integer({ min: 1, max: 20 }).chain((count) =>
      fc.record({
        timeUs: fc.integer({ min: 0, max: 4e15 }).map(BigInt),
        timeDeltaUs: fc.array(fc.integer({ min: 0, max: 2 ** 40 }).map(BigInt), { minLength: count, maxLength: count }),
        columns: fc.array(column(count), { maxLength: 5 }),
      }),
    );
    fc.assert(
      fc.property(message, (input) => {
        const payload = toBinary(SensorDataSchema, create(SensorDataSchema, input));
        if (payload.length === 0) return;
        expect(decoded(protobufCodec, payload)).toEqual({ rows: expectedRows(input), rejected: rejectedTexts(input) });
      }),
      { numRuns: 300 },
    );
  });
});

type Input = { timeUs: bigint; timeDeltaUs: bigint[]; columns: Column[] };
type Column = { metric: string; unit: string; quality: Uint8Array } & Partial<{
  doubles: number[];
  booleans: boolean[];
  texts: string[];
  integers: bigint[];
  decimals: number;
}>;

function expectedRows({ timeUs, timeDeltaUs, columns }: Input): Row[] {
  let time = timeUs;
  const times = timeDeltaUs.map((delta) => {
    time += delta;
    return Number(time);
  });
  return columns.flatMap((input) => {
    const integers = input.integers?.map((integer) => Number(integer) / 10 ** input.decimals!);
    const values = input.doubles ?? input.booleans ?? input.texts ?? integers ?? [];
    return values.flatMap((value, at): Row[] => {
      if (isRejected(value)) return [];
      const quality = input.quality.length === 0 ? 192 : (input.quality[at] ?? input.quality[0]!);
      return [
        { metric: input.metric, time: times[at]!, value, quality, ...(input.unit !== '' && { unit: input.unit }) },
      ];
    });
  });
}

function rejectedTexts({ columns }: Input): string[] {
  return columns.flatMap(({ metric, texts = [] }) =>
    texts.filter(isRejected).map(() => `${metric} VALUE_NOT_ACCEPTED`),
  );
}

function isRejected(value: unknown): boolean {
  return typeof value === 'string' && value.includes('\0');
}
