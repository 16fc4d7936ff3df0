/** Blocks and pages of the database in each other's place: found, never read as truth, and never told of a sound store. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, seededRandom } from '@fieldline/kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchOf } from '../test-batch.ts';
import { checkBlocks } from './block-list.ts';
import { inspectStore } from './inspect-store.ts';
import { type DuckdbStore, openDuckdbStore } from './open-store.ts';
import { repairStore } from './repair-store.ts';

const START = Date.UTC(2026, 0, 10) * 1000;
const RECORDS = 6;
const ROWS_PER_RECORD = 15_000;
const ROWS = RECORDS * ROWS_PER_RECORD;
const BLOCK = 262_144;
const BLOCKS_AT = 12_288;
const INJURIES = 12;
let base: string;
let whole: string;

function open(dir: string): Promise<DuckdbStore> {
  return openDuckdbStore({ dir, sealAfterMs: 1e12 });
}

async function catchUp(store: DuckdbStore): Promise<void> {
  const { epoch, next } = await store.acquire('t', 0);
  for (let record = next; record < RECORDS; record += 1) {
    const rows = Array.from({ length: ROWS_PER_RECORD }, (_, row) => {
      const sample = record * ROWS_PER_RECORD + row;
      return { seriesId: 1 + (sample % 2), sourceTime: START + sample * 1000, value: sample / 8, version: record };
    });
    await store.append(batchOf(rows), { topic: 't', partition: 0, epoch, next: record + 1 });
  }
}

/** Samples that are what was written; throws where one is not. */
async function soundRows(dir: string, withLog = false): Promise<number> {
  const store = await open(dir);
  try {
    if (withLog) await catchUp(store);
    const found = await store.readRaw({ seriesIds: [1, 2], from: 0, to: START + 1e12, limit: 1e6 });
    for (const { seriesId, sourceTime, value } of found) {
      for (let row = 0; row < sourceTime.length; row += 1) {
        const sample = (sourceTime[row]! - START) / 1000;
        const isRight = value[row] === sample / 8 && seriesId === 1 + (sample % 2) && sample < ROWS;
        if (!isRight) throw new Error(`WRONG: ${seriesId} at ${sourceTime[row]} = ${value[row]}`);
      }
    }
    return found.reduce((sum, { sourceTime }) => sum + sourceTime.length, 0);
  } finally {
    await store.close();
  }
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fieldline-blocks-'));
  whole = join(base, 'whole');
  const store = await open(whole);
  await catchUp(store);
  await store.close();
});
afterAll(() => rm(base, { recursive: true }));

test('a store that was closed knows all its blocks, and is sound', async () => {
  expect(await checkBlocks(join(whole, 'store.duckdb'))).toEqual([]);
  expect((await inspectStore(whole)).findings).toEqual([]);
  expect(await soundRows(whole)).toBe(ROWS);
});

test('blocks or pages exchanged, twice there, or zeros: found, refused, and whole again with the log', async () => {
  const seed = Number(process.env.TEST_SEED);
  const chance = seededRandom(seed);
  const bytes = await readFile(join(whole, 'store.duckdb'));
  for (let injury = 0; injury < INJURIES; injury += 1) {
    const injured = Buffer.from(bytes);
    const what = `seed ${seed}: ${INJURE[injury % INJURE.length]!(injured, chance)}`;
    const dir = await injuredCopy(injured);
    const inspection = await inspectStore(dir);
    if (inspection.findings.length === 0) {
      // Nothing stands there, or the same.
      expect(await soundRows(dir).catch(messageOf), what).toBe(ROWS);
    } else {
      expect(inspection.findings[0], what).toMatchObject({ file: join(dir, 'store.duckdb'), mend: 'log' });
      expect(await soundRows(dir).catch(messageOf), what).toMatch(/store\.duckdb.*block \d+.*doctor --repair/);
      await repairStore({ dir, asideDir: join(base, 'aside'), oldestOf: () => 0 }, inspection);
      expect((await inspectStore(dir)).findings, what).toEqual([]);
      expect(await soundRows(dir, true), what).toBe(ROWS);
    }
    await rm(dir, { recursive: true });
    await rm(join(base, 'aside'), { recursive: true, force: true });
  }
}, 60_000);

test('headers of an earlier checkpoint are told from the newest', async () => {
  const bytes = await readFile(join(whole, 'store.duckdb'));
  const newest = bytes.readBigUInt64LE(4096 + 8) > bytes.readBigUInt64LE(8192 + 8) ? 4096 : 8192;
  const older = 12_288 - newest;
  bytes.copy(bytes, newest, older, older + 4096);
  const dir = await injuredCopy(bytes);
  expect((await inspectStore(dir)).findings).toMatchObject([{ place: expect.stringContaining('header') }]);
  await expect(open(dir)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
});

test('a list that is damaged or missing hinders nothing, and is written anew', async () => {
  const dir = await injuredCopy(await readFile(join(whole, 'store.duckdb')));
  const list = join(dir, 'store.duckdb.blocks');
  const bytes = await readFile(list);
  bytes[30]! ^= 1;
  await writeFile(list, bytes);
  expect((await inspectStore(dir)).findings).toMatchObject([{ file: list, mend: 'restart' }]);
  expect(await soundRows(dir)).toBe(ROWS);
  expect(await checkBlocks(join(dir, 'store.duckdb'))).toEqual([]);
  await rm(list);
  expect((await inspectStore(dir)).findings).toEqual([]);
  expect(await soundRows(dir)).toBe(ROWS);
  expect(await checkBlocks(join(dir, 'store.duckdb'))).toEqual([]);
});

/** Each changes the bytes of a database, and says how. */
const INJURE: readonly ((bytes: Buffer, chance: () => number) => string)[] = [
  (bytes, chance) => {
    const [a, b] = [placeOf(bytes, chance, BLOCK), placeOf(bytes, chance, BLOCK)];
    const kept = Buffer.from(bytes.subarray(a, a + BLOCK));
    bytes.copy(bytes, a, b, b + BLOCK);
    kept.copy(bytes, b);
    return `blocks at ${a} and ${b} exchanged`;
  },
  (bytes, chance) => {
    const [a, b] = [placeOf(bytes, chance, BLOCK), placeOf(bytes, chance, BLOCK)];
    bytes.copy(bytes, a, b, b + BLOCK);
    return `block at ${b} also at ${a}`;
  },
  (bytes, chance) => {
    const block = placeOf(bytes, chance, BLOCK);
    const [a, b] = [block + 4096 * (1 + Math.floor(chance() * 30)), block + 4096 * (33 + Math.floor(chance() * 30))];
    const kept = Buffer.from(bytes.subarray(a, a + 4096));
    bytes.copy(bytes, a, b, b + 4096);
    kept.copy(bytes, b);
    return `pages at ${a} and ${b} exchanged`;
  },
  (bytes, chance) => {
    const at = placeOf(bytes, chance, 512);
    bytes.fill(0, at, at + 512);
    return `zeros at ${at}`;
  },
];

function placeOf(bytes: Buffer, chance: () => number, size: number): number {
  return BLOCKS_AT + Math.floor((chance() * (bytes.length - BLOCKS_AT)) / size) * size;
}

let copies = 0;
async function injuredCopy(database: Buffer): Promise<string> {
  copies += 1;
  const dir = join(base, `injured-${copies}`);
  await cp(whole, dir, { recursive: true });
  await writeFile(join(dir, 'store.duckdb'), database);
  return dir;
}
