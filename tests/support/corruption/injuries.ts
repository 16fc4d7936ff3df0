/**
 * Random injuries of a data folder, one file each: flipped bits, cut ends, zeros, blocks exchanged or doubled, files in the place
 * of others or gone. Everything follows from the seed.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/** Kinds of files, and how often each is chosen. */
const KINDS: readonly (readonly [kind: string, share: number, pattern: RegExp])[] = [
  ['log', 3, /^log\/.*\.seg$/],
  ['log state', 1, /^log\/(format|groups)$/],
  ['store', 3, /^store\/store\.duckdb$/],
  ['store headers', 0.5, /^store\/store\.duckdb$/],
  ['store write-ahead log', 2, /^store\/store\.duckdb\.wal$/],
  ['sealed', 3, /^store\/sealed\/.*\/day=.*\.parquet$/],
  ['sessions', 1, /^broker\//],
  ['catalog', 2, /^catalog\//],
  ['catalog copy', 0.5, /^catalog\.(copies\/|sums)/],
  ['catalog state', 1, /^catalog\/(pg_(xact|multixact|wal)|global\/(pg_control|pg_filenode))/],
];

/** Sizes at which a disk, a file system or a database moves data; DuckDB's blocks begin behind its headers. */
const BLOCKS: readonly (readonly [byteLength: number, from: number])[] = [
  [512, 0],
  [4096, 0],
  [8192, 0],
  [262_144, 12_288],
];
const HEADER_BYTES = 12_288;
const TRIES_MAX = 50;

export interface Injury {
  readonly kind: string;
  /** Within the folder. */
  readonly file: string;
  /** What was done to it: 'bit 3 of byte 812'. */
  readonly what: string;
  /** What stands there now; null = the file is gone. */
  readonly bytes: Buffer | null;
}

type Harm = (bytes: Buffer, chance: Chance) => { what: string; bytes: Buffer } | null;
type Chance = () => number;

const HARMS: readonly (readonly [share: number, harm: Harm | 'misplace' | 'remove'])[] = [
  [9, flipBit],
  [3, cutEnd],
  [3, zeroRange],
  [2, exchangeBlocks],
  [2, doubleBlock],
  [1.5, 'misplace'],
  [0.5, 'remove'],
];

/** Chooses an injury of the folder, of a kind whose name begins with `only`, and changes nothing yet. */
export function chooseInjury(folder: string, chance: Chance, only = ''): Injury {
  const all = filesOf(folder);
  const kinds = KINDS.map(([kind, share, pattern]) => ({
    kind,
    share,
    files: all.filter((file) => pattern.test(file)),
  }));
  const there = kinds.filter(({ kind, files }) => files.length > 0 && kind.startsWith(only));
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const { kind, files } = weighted(
      there.map((each) => [each.share, each] as const),
      chance,
    );
    const file = files[Math.floor(chance() * files.length)]!;
    const harm = kind === 'store headers' ? flipHeaderBit : weighted(HARMS, chance);
    const injury = injuryOf(folder, file, kind, harm, files, chance);
    if (injury !== null) return injury;
  }
  throw new Error(`no injury of ${folder} changes anything`);
}

/** Puts an injury in place. */
export function inflict(folder: string, { file, bytes }: Injury): void {
  const path = join(folder, file);
  if (bytes === null) rmSync(path);
  else writeFileSync(path, bytes);
}

function injuryOf(
  folder: string,
  file: string,
  kind: string,
  harm: Harm | 'misplace' | 'remove',
  alike: readonly string[],
  chance: Chance,
): Injury | null {
  if (harm === 'remove') return { kind, file, what: 'removed', bytes: null };
  const before = readFileSync(join(folder, file));
  if (harm === 'misplace') {
    const others = alike.filter((other) => other !== file && sort(other) === sort(file));
    if (others.length === 0) return null;
    const other = others[Math.floor(chance() * others.length)]!;
    const bytes = readFileSync(join(folder, other));
    return bytes.equals(before) ? null : { kind, file, what: `replaced by ${other}`, bytes };
  }
  const done = harm(Buffer.from(before), chance);
  return done === null || done.bytes.equals(before) ? null : { kind, file, ...done };
}

/** Files that a confused file system might mix up: of one extension, or relations of one database. */
function sort(file: string): string {
  return /\.\w+$/.exec(basename(file))?.[0] ?? file.replace(/\d+/g, '');
}

function flipBit(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const at = Math.floor(chance() * bytes.length);
  const bit = Math.floor(chance() * 8);
  bytes[at]! ^= 1 << bit;
  return { what: `bit ${bit} of byte ${at} of ${bytes.length}`, bytes };
}

/** Without one of them, DuckDB opens nothing. */
function flipHeaderBit(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const { what } = flipBit(bytes.subarray(0, HEADER_BYTES), chance)!;
  return { what, bytes };
}

function cutEnd(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const at = Math.floor(chance() * bytes.length);
  return { what: `cut at byte ${at} of ${bytes.length}`, bytes: bytes.subarray(0, at) };
}

function zeroRange(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const [length] = BLOCKS[Math.floor(chance() * 3)]!;
  const at = Math.floor((chance() * bytes.length) / length) * length;
  const end = Math.min(bytes.length, at + length * (1 + Math.floor(chance() * 4)));
  bytes.fill(0, at, end);
  return { what: `zeros in bytes ${at} to ${end - 1} of ${bytes.length}`, bytes };
}

function exchangeBlocks(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const places = twoBlocks(bytes, chance);
  if (places === null) return null;
  const { a, b, length } = places;
  const kept = Buffer.from(bytes.subarray(a, a + length));
  bytes.copy(bytes, a, b, b + length);
  kept.copy(bytes, b);
  return { what: `bytes ${a} and ${b} exchanged, ${length} each, of ${bytes.length}`, bytes };
}

function doubleBlock(bytes: Buffer, chance: Chance): ReturnType<Harm> {
  const places = twoBlocks(bytes, chance);
  if (places === null) return null;
  const { a, b, length } = places;
  bytes.copy(bytes, a, b, b + length);
  return { what: `${length} bytes at ${b} also at ${a}, of ${bytes.length}`, bytes };
}

function twoBlocks(bytes: Buffer, chance: Chance): { a: number; b: number; length: number } | null {
  const [length, from] = BLOCKS[Math.floor(chance() * BLOCKS.length)]!;
  const count = Math.floor((bytes.length - from) / length);
  if (count < 2) return null;
  const a = from + Math.floor(chance() * count) * length;
  const b = from + Math.floor(chance() * count) * length;
  return a === b ? null : { a, b, length };
}

function weighted<T>(choices: readonly (readonly [share: number, choice: T])[], chance: Chance): T {
  let left = chance() * choices.reduce((sum, [share]) => sum + share, 0);
  for (const [share, choice] of choices) {
    left -= share;
    if (left < 0) return choice;
  }
  return choices.at(-1)![1];
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths
    .filter((path) => statSync(path).size > 0)
    .map((path) => relative(folder, path))
    .sort();
}
