/** Random injuries of a data folder: a flipped bit or a truncation in a file of a chosen kind. Everything follows from the seed. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Kinds of files, and how often each is chosen. */
const KINDS: readonly (readonly [kind: string, share: number, pattern: RegExp])[] = [
  ['log', 3, /^log\/.*\.seg$/],
  ['log state', 1, /^log\/(format|groups)$/],
  ['store', 3, /^store\/store\.duckdb$/],
  ['store write-ahead log', 2, /^store\/store\.duckdb\.wal$/],
  ['sealed', 3, /^store\/sealed\/.*\/day=.*\.parquet$/],
  ['sessions', 1, /^broker\//],
  ['catalog', 2, /^catalog\//],
  ['catalog state', 1, /^catalog\/(pg_(xact|multixact|wal)|global\/(pg_control|pg_filenode))/],
];
const CUT_SHARE = 0.25;

export interface Injury {
  readonly kind: string;
  /** Within the folder. */
  readonly file: string;
  /** 'bit 3 of byte 812' or 'cut at byte 812'. */
  readonly what: string;
}

/** Changes one file of the folder. */
export function injure(folder: string, chance: () => number): Injury {
  const all = filesOf(folder);
  const kinds = KINDS.map(([kind, share, pattern]) => ({
    kind,
    share,
    files: all.filter((file) => pattern.test(file)),
  }));
  const there = kinds.filter(({ files }) => files.length > 0);
  const tickets = there.flatMap((each) => Array.from({ length: each.share }, () => each));
  const { kind, files } = tickets[Math.floor(chance() * tickets.length)]!;
  const file = files[Math.floor(chance() * files.length)]!;
  const path = join(folder, file);
  const bytes = readFileSync(path);
  const at = Math.floor(chance() * bytes.length);
  const bit = Math.floor(chance() * 8);
  if (chance() < CUT_SHARE) {
    writeFileSync(path, bytes.subarray(0, at));
    return { kind, file, what: `cut at byte ${at} of ${bytes.length}` };
  }
  bytes[at]! ^= 1 << bit;
  writeFileSync(path, bytes);
  return { kind, file, what: `bit ${bit} of byte ${at} of ${bytes.length}` };
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths
    .filter((path) => statSync(path).size > 0)
    .map((path) => relative(folder, path))
    .sort();
}

/** Mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
