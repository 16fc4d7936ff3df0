import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ManualClock, messageOf, seededRandom } from '@fieldline/kit';
import { MICROS_PER_DAY } from '@fieldline/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchOf, type TestRow } from '../test-batch.ts';
import { inspectStore } from './inspect-store.ts';
import { type DuckdbStore, openDuckdbStore } from './open-store.ts';
import { repairStore } from './repair-store.ts';

const chance = seededRandom(Number(process.env.TEST_SEED));

const START = Date.UTC(2026, 0, 10) * 1000;
const LATER = START + 9 * MICROS_PER_DAY;
const RECORDS = 24;
const ROWS_PER_RECORD = 40;
const ALL = { seriesIds: [1, 2, 3], from: 0, to: LATER, limit: 1e6 };
const INJURIES = 8;
let base: string;
let closed: string;
let killed: string;

/** What stands in the log: record n brings these rows, with n as their version. */
function rowsOf(record: number): TestRow[] {
  return Array.from({ length: ROWS_PER_RECORD }, (_, row) => {
    const sample = record * ROWS_PER_RECORD + row;
    const sourceTime = START + Math.floor(sample / 3) * 600_000_000;
    return { seriesId: 1 + (sample % 3), sourceTime, value: sample / 4, version: record };
  });
}

function open(dir: string): Promise<DuckdbStore> {
  const waiting = { compactAfterMs: 1e15, rollUpAfterMs: 0 };
  return openDuckdbStore({ dir, clock: new ManualClock(0), sealAfterMs: 0, ...waiting });
}

/** As the pipeline does: from where the store stands to the end of the log. */
async function catchUp(store: DuckdbStore): Promise<void> {
  const { epoch, next } = await store.acquire('t', 0);
  for (let record = next; record < RECORDS; record += 1) {
    await store.append(batchOf(rowsOf(record)), { topic: 't', partition: 0, epoch, next: record + 1 });
    if (record === 9 || record === 19) await store.maintain(LATER);
  }
}

async function readAll(dir: string, withLog: boolean): Promise<Map<string, number>> {
  const store = await open(dir);
  try {
    if (withLog) await catchUp(store);
    const ask = async (): ReturnType<DuckdbStore['readRaw']> => store.readRaw(ALL).catch(() => store.readRaw(ALL));
    // Each question tells of one damaged file; there is one at most.
    const found = await ask();
    return new Map(
      found.flatMap(({ seriesId, sourceTime, value }) =>
        Array.from(sourceTime, (time, row): [string, number] => [`${seriesId}/${time}`, value[row]!]),
      ),
    );
  } finally {
    await store.close();
  }
}

const whole = new Map(
  Array.from({ length: RECORDS }, (_, record) => rowsOf(record))
    .flat()
    .map(({ seriesId, sourceTime, value }): [string, number] => [`${seriesId}/${sourceTime}`, value!]),
);

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fieldline-repair-'));
  [closed, killed] = [join(base, 'closed'), join(base, 'killed')];
  const store = await open(closed);
  await catchUp(store);
  // Nothing is under way: the copy is what a killed process leaves.
  await cp(closed, killed, { recursive: true });
  await store.close();
});
afterAll(() => rm(base, { recursive: true }));

test('a sound store has no findings, closed or killed', async () => {
  for (const dir of [closed, killed]) {
    const { findings, positions, counts } = await inspectStore(dir);
    expect(findings).toEqual([]);
    expect(positions).toEqual([{ topic: 't', partition: 0, next: RECORDS }]);
    expect(counts.sealedRows).toBe(20 * ROWS_PER_RECORD);
    expect(await readAll(dir === closed ? closed : await copyOf(killed, 'sound'), false)).toEqual(whole);
  }
});

test('any injury is found or without effect, never told as a value, and mended from the log', async () => {
  for (let injury = 0; injury < INJURIES; injury += 1) {
    const dir = await copyOf(injury % 2 === 0 ? closed : killed, `injured-${injury}`);
    const what = await injure(dir, injury);
    const inspection = await inspectStore(dir);
    const told = await readAll(await copyOf(dir, `told-${injury}`), true).catch(messageOf);
    if (typeof told === 'string')
      expect(told, what).toMatch(
        /opening the telemetry store|damaged|missing|Corrupt|not what was written|older than|knows none of them/,
      );
    else for (const [sample, value] of told) expect(value, `${what}: ${sample}`).toBe(whole.get(sample));
    if (inspection.findings.length === 0) expect(told, what).toEqual(whole);
    await repairStore({ dir, asideDir: join(base, `aside-${injury}`), oldestOf: () => 0 }, inspection);
    expect((await inspectStore(dir)).findings, what).toEqual([]);
    expect(await readAll(dir, true), what).toEqual(whole);
  }
}, 120_000);

test('what the log does not hold any more is taken over from the sealed files', async () => {
  const dir = await copyOf(killed, 'old');
  const path = join(dir, 'store.duckdb.wal');
  const bytes = await readFile(path);
  bytes[Math.floor(bytes.length * 0.9)]! ^= 1;
  await writeFile(path, bytes);
  const old = await copyOf(closed, 'checkpointed');
  await cp(join(old, 'store.duckdb'), join(dir, 'store.duckdb'));
  const inspection = await inspectStore(dir);
  expect(inspection.findings).not.toEqual([]);
  const report = await repairStore({ dir, asideDir: join(base, 'aside-old'), oldestOf: () => RECORDS }, inspection);
  expect(report.done.join('\n')).toMatch(/took over the roll-ups[\s\S]*took over \d+ sealed files with 800 samples/);
  const found = await readAll(dir, false);
  expect(found.size).toBe(800);
  for (const [sample, value] of found) expect(value).toBe(whole.get(sample));
});

test('a database whose first changes are lost with its log is made anew', async () => {
  const dir = await copyOf(killed, 'beheaded');
  const log = join(dir, 'store.duckdb.wal');
  await writeFile(log, (await readFile(log)).subarray(0, 4121));
  const inspection = await inspectStore(dir);
  expect(inspection).toMatchObject({ databaseSound: false });
  await repairStore({ dir, asideDir: join(base, 'aside-beheaded'), oldestOf: () => 0 }, inspection);
  expect(await readAll(dir, true)).toEqual(whole);
});

async function copyOf(from: string, name: string): Promise<string> {
  const dir = join(base, name);
  await cp(from, dir, { recursive: true });
  return dir;
}

/** Flips a bit or cuts a file off, anywhere; returns what, in words. */
async function injure(dir: string, turn: number): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'series.parquet');
  const database = files.filter(({ name }) => name.startsWith('store.duckdb'));
  const among = turn % 3 === 0 ? files.filter((file) => !database.includes(file)) : database;
  const entry = among[Math.floor(chance() * among.length)]!;
  const path = join(entry.parentPath, entry.name);
  const bytes = await readFile(path);
  const at = Math.floor(chance() * bytes.length);
  const isCut = turn % 4 === 3;
  if (!isCut) bytes[at]! ^= 1 << (turn % 8);
  await writeFile(path, isCut ? bytes.subarray(0, at) : bytes);
  return `${relative(dir, path)} ${isCut ? 'cut' : 'changed'} at ${at} of ${bytes.length}`;
}
