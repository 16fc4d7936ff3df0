/**
 * Payloads of one sample each, good, bad and in between, for line 14. Each has a time of its own, so that what became of it can
 * be found again. Our own cases, after the kinds of JSON test suites and of lists of naughty strings.
 */
import { NAUGHTY_STRINGS } from './naughty-strings.ts';

/** What must become of it: a sample, a dead letter, or one of the two. */
export type Fate = 'stored' | 'dead' | 'either';

export interface PayloadCase {
  readonly name: string;
  readonly fate: Fate;
  readonly payload: Uint8Array;
}

/** The metric of every case whose key is not the case itself. */
export const METRIC = 'v';

const SURROGATE = String.raw`"\ud800"`;
const DEEP = 10_000;

/** JSON texts in the place of the value. */
const VALUES: readonly (readonly [text: string, fate: Fate])[] = [
  ['0', 'stored'],
  ['-0', 'stored'],
  ['-0.0', 'stored'],
  ['1', 'stored'],
  ['123e65', 'stored'],
  ['0e+1', 'stored'],
  ['0E1', 'stored'],
  ['20e1', 'stored'],
  ['1E22', 'stored'],
  ['1E-2', 'stored'],
  ['1.7976931348623157e308', 'stored'],
  ['5e-324', 'stored'],
  ['1e-400', 'stored'],
  ['-123123e-100000', 'stored'],
  ['9223372036854775807', 'stored'],
  ['9223372036854775808', 'stored'],
  ['-9223372036854775809', 'stored'],
  ['18446744073709551616', 'stored'],
  ['123456789012345678901234567890', 'stored'],
  [`0.${'3'.repeat(400)}`, 'stored'],
  ['true', 'stored'],
  ['false', 'stored'],
  // The metric has had numbers before: a series is of one kind.
  ['"text"', 'dead'],
  [String.raw`"\u00e9\n\t\"\\\/"`, 'dead'],
  [String.raw`"\ud83d\ude00"`, 'dead'],
  [SURROGATE, 'either'],
  [String.raw`"\udc00\ud800"`, 'either'],
  [String.raw`"\u0000"`, 'either'],
  ['""', 'either'],
  ['1e400', 'dead'],
  ['-1e400', 'dead'],
  ['1e+9999', 'dead'],
  ['123123e100000', 'dead'],
  ['NaN', 'dead'],
  ['nan', 'dead'],
  ['Infinity', 'dead'],
  ['-Infinity', 'dead'],
  ['+1', 'dead'],
  ['.5', 'dead'],
  ['1.', 'dead'],
  ['-', 'dead'],
  ['--1', 'dead'],
  ['01', 'dead'],
  ['-01', 'dead'],
  ['1e', 'dead'],
  ['1e+', 'dead'],
  ['1eE2', 'dead'],
  ['0x1F', 'dead'],
  ['1_000', 'dead'],
  ['1,000', 'dead'],
  ['1 000', 'dead'],
  ['１', 'dead'],
  ['1/2', 'dead'],
  ['null', 'dead'],
  ['undefined', 'dead'],
  ['True', 'dead'],
  ['TRUE', 'dead'],
  ['truefalse', 'dead'],
  ["'text'", 'dead'],
  ['"text', 'dead'],
  ['text"', 'dead'],
  ['"a\tb"', 'dead'],
  ['"a\nb"', 'dead'],
  ['"a\u0000b"', 'dead'],
  [String.raw`"\x41"`, 'dead'],
  [String.raw`"\u12"`, 'dead'],
  [String.raw`"\u{41}"`, 'dead'],
  [String.raw`"\ "`, 'dead'],
  [String.raw`"\"`, 'dead'],
  ['{}', 'dead'],
  ['{"b":{}}', 'dead'],
  ['[]', 'dead'],
  ['[1]', 'dead'],
  ['[1,]', 'dead'],
  ['{"value":null}', 'dead'],
  ['{"value":1e400}', 'dead'],
  ['{"value":[1]}', 'dead'],
  ['{"value":1,"unit":"Cel"}', 'stored'],
  ['{"value":1,"quality":"good"}', 'stored'],
  ['{"value":1,"quality":"superb"}', 'either'],
  ['{"value":1,"unit":5}', 'either'],
  ['1 // one', 'dead'],
  ['/* one */ 1', 'dead'],
  ['1;', 'dead'],
  ['BigInt(1)', 'dead'],
  ['1n', 'dead'],
  ['Date()', 'dead'],
];

/** Whole payloads; none of them has a sample. */
const WHOLES: readonly (readonly [name: string, payload: string | Uint8Array])[] = [
  ['nothing', ''],
  ['a blank', ' '],
  ['zero bytes', new Uint8Array(64)],
  ['a brace', '{'],
  ['a closing brace', '}'],
  ['an open array', '['],
  ['a number', '5'],
  ['a text', '"text"'],
  ['null', 'null'],
  ['an empty object', '{}'],
  ['an array in an array', '[[]]'],
  ['an array of null', '[null]'],
  ['metrics is an array', '{"metrics":[]}'],
  ['metrics is a text', '{"metrics":"v"}'],
  ['metrics is null', '{"metrics":null}'],
  ['metrics is missing', '{"ts":1700000000000,"values":{"v":1}}'],
  ['metrics in capitals', '{"ts":1700000000000,"METRICS":{"v":1}}'],
  ['a time in words', '{"ts":"yesterday","metrics":{"v":1}}'],
  ['a time before 1970', '{"ts":-1,"metrics":{"v":1}}'],
  ['a time that is an object', '{"ts":{},"metrics":{"v":1}}'],
  ['a time that is true', '{"ts":true,"metrics":{"v":1}}'],
  ['a time of 1e300', '{"ts":1e300,"metrics":{"v":1}}'],
  ['the 30th of February', '{"ts":"2026-02-30T00:00:00Z","metrics":{"v":1}}'],
  ['a year from now', `{"ts":${Date.now() + 3.2e10},"metrics":{"v":1}}`],
  ['XML', '<?xml version="1.0"?><metrics><v>1</v></metrics>'],
  ['YAML', 'metrics:\n  v: 1\n'],
  ['CSV', 'time,v\n2026-01-01T00:00:00Z,1\n'],
  ['form data', 'ts=1700000000000&v=1'],
  ['gzip', Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56])],
  ['UTF-16', new Uint8Array(Buffer.from('{"metrics":{"v":1}}', 'utf16le'))],
  ['bytes that are no UTF-8', Uint8Array.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
  ['overlong UTF-8', Uint8Array.from([0x22, 0xc0, 0xaf, 0x22])],
  ['two objects', '{"metrics":{"v":1}}{"metrics":{"v":1}}'],
  ['a trailing comma', '{"metrics":{"v":1},}'],
  ['single quotes', "{'metrics':{'v':1}}"],
  ['bare keys', '{metrics:{v:1}}'],
  ['arrays in arrays, ten thousand deep', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
  ['arrays that never end, ten thousand deep', '['.repeat(DEEP)],
  ['objects in objects, ten thousand deep', `${'{"metrics":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`],
];

/** All cases for the codec json; time(n) gives the n-th time in ms. */
export function jsonCases(time: () => number): PayloadCase[] {
  const message = (key: string, value: string): string => `{"ts":${time()},"metrics":{${key}:${value}}}`;
  const key = JSON.stringify(METRIC);
  return [
    ...VALUES.map(([text, fate]) => caseOf(`value ${text.slice(0, 30)}`, fate, message(key, text))),
    ...WHOLES.map(([name, payload]) => caseOf(name, 'dead', payload)),
    ...NAUGHTY_STRINGS.map((text) => caseOf('a naughty text', 'either', message(key, JSON.stringify(text)))),
    ...NAUGHTY_STRINGS.map((text) => caseOf('a naughty metric', 'either', message(JSON.stringify(text), '1'))),
    caseOf('a byte order mark', 'either', `\ufeff${message(key, '1')}`),
    caseOf('garbage behind', 'dead', `${message(key, '1')}x`),
    caseOf('blanks around', 'stored', ` \r\n\t${message(key, '1')}\n `),
    caseOf('a key twice', 'stored', `{"ts":${time()},"metrics":{"v":1,"v":2}}`),
    caseOf('a metric without a name', 'dead', message('""', '1')),
    caseOf('a very long metric', 'dead', message(JSON.stringify('x'.repeat(100_000)), '1')),
    caseOf('a very long text', 'either', message(key, JSON.stringify('x'.repeat(100_000)))),
  ];
}

/** A good message, or one with a byte changed, removed or added, or cut off. Seeded by `chance`. */
export function mutatedCase(time: () => number, chance: () => number): PayloadCase {
  const good = Buffer.from(`{"ts":${time()},"metrics":{"${METRIC}":${(chance() * 1000).toFixed(3)}}}`);
  const place = Math.floor(chance() * good.length);
  const byte = Math.floor(chance() * 256);
  const changed: Record<number, () => Uint8Array> = {
    0: () => good.with(place, byte),
    1: () => Buffer.concat([good.subarray(0, place), good.subarray(place + 1)]),
    2: () => Buffer.concat([good.subarray(0, place), Buffer.from([byte]), good.subarray(place)]),
    3: () => good.subarray(0, place),
  };
  const kind = Math.floor(chance() * 6);
  if (kind > 3) return { name: 'a good one', fate: 'stored', payload: good };
  return { name: 'a changed byte', fate: kind === 3 ? 'dead' : 'either', payload: changed[kind]!() };
}

/** For the codec protobuf (proto/fieldline/v1/telemetry.proto); its metric is 'value'. */
export function protobufCases(time: () => number): PayloadCase[] {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(9, 0x11);
    bytes.writeDoubleLE(value, 1);
    return bytes;
  };
  const at = (rest: Buffer): Buffer => Buffer.concat([Buffer.from([0x08]), varint(BigInt(time()) * 1000n), rest]);
  const text = (length: number, bytes: string): Buffer => at(Buffer.from([0x22, length, ...Buffer.from(bytes)]));
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ['cut off in the number', at(number(1)).subarray(0, -3)],
    ['cut off in a text', text(20, 'short')],
    ['not a number', at(number(Number.NaN))],
    ['infinity', at(number(Number.POSITIVE_INFINITY))],
    ['a group', Buffer.from([0x0b, 0x0c])],
    ['wire type 6', Buffer.from([0x0e, 0x01])],
    ['wire type 7', Buffer.from([0x0f, 0x01])],
    ['field number 0', Buffer.from([0x00, 0x01])],
    ['a varint without an end', Buffer.alloc(12, 0xff)],
    ['a text that is no UTF-8', at(Buffer.from([0x22, 2, 0xc3, 0x28]))],
    ['a length of 2^31', Buffer.from([0x22, 0xff, 0xff, 0xff, 0xff, 0x07])],
    ['a time before 1970', Buffer.concat([Buffer.from([0x08]), varint(2n ** 64n - 5n), number(1)])],
    ['JSON', Buffer.from(`{"ts":${time()},"metrics":{"v":1}}`)],
    ['nothing', Buffer.alloc(0)],
  ];
  return [
    { name: 'protobuf: a good number', fate: 'stored', payload: at(number(1)) },
    { name: 'protobuf: a good text', fate: 'stored', payload: text(4, 'text') },
    ...bad.map(([name, payload]) => ({ name: `protobuf: ${name}`, fate: 'dead' as const, payload })),
  ];
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function caseOf(name: string, fate: Fate, payload: string | Uint8Array): PayloadCase {
  return { name, fate, payload: typeof payload === 'string' ? Buffer.from(payload) : payload };
}
