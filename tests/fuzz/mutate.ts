/** Changes an input a little, the way broken and hostile senders do. All chance comes from the seed. */

export type Random = () => number;

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function oneOf<T>(random: Random, choices: readonly T[]): T {
  return choices[below(random, choices.length)]!;
}

const TELLING = [0, 1, 2, 3, 0x10, 0x20, 0x22, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0x81, 0xc0, 0xe0, 0xed, 0xf4, 0xff];

type Mutation = (bytes: Buffer, other: Buffer, random: Random) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  (bytes, _, random) => changed(bytes, random, (byte) => byte ^ (1 << below(random, 8))),
  (bytes, _, random) => changed(bytes, random, () => oneOf(random, TELLING)),
  (bytes, _, random) => changed(bytes, random, (byte) => byte + oneOf(random, [-1, 1])),
  (bytes, _, random) => changed(bytes, random, () => below(random, 256)),
  (bytes, _, random) => {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  (bytes, _, random) => {
    const [start, end] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
  },
  (bytes, _, random) => {
    const inserted = Buffer.from(Array.from({ length: 1 + below(random, 4) }, () => oneOf(random, TELLING)));
    return insertedAt(bytes, below(random, bytes.length + 1), inserted);
  },
  (bytes, other, random) => {
    const [start, end] = range(other, random);
    return insertedAt(bytes, below(random, bytes.length + 1), other.subarray(start, end));
  },
  (bytes, other, random) =>
    Buffer.concat([
      bytes.subarray(0, below(random, bytes.length + 1)),
      other.subarray(below(random, other.length + 1)),
    ]),
  (bytes, other) => Buffer.concat([bytes, other]),
  (bytes, _, random) => bytes.subarray(0, below(random, bytes.length + 1)),
];

/** One to four changes; never longer than `bytesMax`. */
export function mutate(input: Buffer, other: Buffer, bytesMax: number, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let times = 1 + below(random, 4); times > 0; times--) bytes = oneOf(random, MUTATIONS)(bytes, other, random);
  return bytes.subarray(0, bytesMax);
}

function changed(bytes: Buffer, random: Random, change: (byte: number) => number): Buffer {
  if (bytes.length === 0) return bytes;
  const at = below(random, bytes.length);
  const copy = Buffer.from(bytes);
  copy[at] = change(copy[at]!);
  return copy;
}

function range(bytes: Buffer, random: Random): [start: number, end: number] {
  const start = below(random, bytes.length + 1);
  return [start, Math.min(bytes.length, start + 1 + below(random, 16))];
}

function insertedAt(bytes: Buffer, position: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, position), inserted, bytes.subarray(position)]);
}
