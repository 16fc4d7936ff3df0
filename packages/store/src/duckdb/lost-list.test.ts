/**
 * The list of sealed files is lost, or older than the files: what is sealed stays in the service, whatever the log still holds,
 * and nothing of it is ever deleted.
 */
import { copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ManualClock, silentLogger } from '@fieldline/kit';
import { MICROS_PER_DAY } from '@fieldline/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchOf, seriesOf } from '../test-batch.ts';
import { sealedPaths } from './found-files.ts';
import { inspectStore } from './inspect-store.ts';
import { type DuckdbStore, openDuckdbStore } from './open-store.ts';
import { repairStore, type StoreRepairReport } from './repair-store.ts';

const START = Date.UTC(2026, 0, 10) * 1000;
const LATER = START + 9 * MICROS_PER_DAY;
const RECORDS = 24;
const ROWS_PER_RECORD = 40;
const ROWS = RECORDS * ROWS_PER_RECORD;
/** Of records 0 to 9 and 10 to 19. */
const SEALED_ROWS = 20 * ROWS_PER_RECORD;
const SERIES = [1, 2, 3];
const DATABASE = ['store.duckdb', 'store.duckdb.blocks'];
let base: string;
/** After ten records, closed. */
let early: string;
/** After all of them, closed; two generations are sealed, four records are hot. */
let late: string;
let copies = 0;

function open(dir: string, told: string[] = []): Promise<DuckdbStore> {
  const logger = {
    ...silentLogger,
    error: (fields: object, text: string) => told.push(`${text} ${JSON.stringify(fields)}`),
  };
  const waiting = { compactAfterMs: 1e15, rollUpAfterMs: 0 };
  return openDuckdbStore({ dir, clock: new ManualClock(0), sealAfterMs: 0, logger: logger as never, ...waiting });
}

async function catchUp(store: DuckdbStore, end = RECORDS): Promise<void> {
  const { epoch, next } = await store.acquire('t', 0);
  await store.defineSeries(SERIES.map((id) => seriesOf(id, { subjectId: `press-${id}`, metricKey: `metric-${id}` })));
  for (let record = next; record < end; record += 1) {
    const rows = Array.from({ length: ROWS_PER_RECORD }, (_, row) => {
      const sample = record * ROWS_PER_RECORD + row;
      const sourceTime = START + Math.floor(sample / 3) * 600_000_000;
      return { seriesId: 1 + (sample % 3), sourceTime, value: sample / 4, version: record };
    });
    await store.append(batchOf(rows), { topic: 't', partition: 0, epoch, next: record + 1 });
    if (record === 9 || record === 19) await store.maintain(LATER);
  }
}

/** Rows that the store gives out, and as many as its buckets count; throws where one is wrong or there twice. */
async function rowsOf(dir: string, withLog = false): Promise<number> {
  const store = await open(dir);
  try {
    if (withLog) await catchUp(store);
    let rows = 0;
    for (const { seriesId, sourceTime, value } of await store.readRaw({ ...all(), limit: 1e6 })) {
      expect(new Set(sourceTime).size).toBe(sourceTime.length);
      for (const [row, time] of sourceTime.entries()) {
        expect(value[row]).toBe((((time - START) / 600_000_000) * 3 + seriesId - 1) / 4);
      }
      rows += sourceTime.length;
    }
    const buckets = await store.readBuckets({ ...all(), resolution: '1h', limit: 1e6 });
    expect(buckets.reduce((sum, { count }) => sum + count.reduce((most, each) => most + each, 0), 0)).toBe(rows);
    return rows;
  } finally {
    await store.close();
  }
}

function all(): { seriesIds: number[]; from: number; to: number } {
  return { seriesIds: SERIES, from: 0, to: LATER };
}

async function copyOf(from: string): Promise<string> {
  copies += 1;
  const dir = join(base, `copy-${copies}`);
  await cp(from, dir, { recursive: true });
  return dir;
}

/** With a log that begins behind all that is stored. */
async function repaired(dir: string): Promise<StoreRepairReport> {
  const inspection = await inspectStore(dir);
  expect(inspection.findings).toMatchObject([{ mend: 'log' }]);
  const report = await repairStore({ dir, asideDir: `${dir}-aside`, oldestOf: () => RECORDS }, inspection);
  expect((await inspectStore(dir)).findings).toEqual([]);
  return report;
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 4;
  await writeFile(path, bytes);
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fieldline-list-'));
  [early, late] = [join(base, 'early'), join(base, 'late')];
  for (const [dir, end] of [
    [early, 12],
    [late, RECORDS],
  ] as const) {
    if (dir === late) await cp(early, late, { recursive: true });
    const store = await open(dir);
    await catchUp(store, end);
    await store.close();
  }
});
afterAll(() => rm(base, { recursive: true }));

test.each([
  ['its beginning', 12],
  ['its first header', 4096 + 9],
  ['its second header', 8192 + 9],
])('a database with a changed bit in %s gets its headers back, and nothing is lost', async (_, at) => {
  const dir = await copyOf(late);
  await flip(join(dir, 'store.duckdb'), at);
  const { done } = await repaired(dir);
  expect(done).toEqual([expect.stringContaining('headers were restored')]);
  expect(await rowsOf(dir)).toBe(ROWS);
});

test('without headers and without their copy, the files themselves tell which there are', async () => {
  const dir = await copyOf(late);
  await flip(join(dir, 'store.duckdb'), 4096 + 9);
  await flip(join(dir, 'store.duckdb'), 8192 + 9);
  await flip(join(dir, 'store.duckdb.blocks'), 30);
  const inspection = await inspectStore(dir);
  const report = await repairStore({ dir, asideDir: `${dir}-aside`, oldestOf: () => RECORDS }, inspection);
  expect(report.done.join('\n')).toMatch(new RegExp(`listed \\d+ sealed files with ${SEALED_ROWS} samples`));
  expect(await rowsOf(dir)).toBe(SEALED_ROWS);
});

test('a database that is gone: its files are listed by what they hold, with series and newest values, and the log doubles nothing', async () => {
  const dir = await copyOf(late);
  for (const name of DATABASE) await rm(join(dir, name));
  await repaired(dir);
  expect(await rowsOf(dir)).toBe(SEALED_ROWS);
  const store = await open(dir);
  expect((await store.definedSeries()).series).toMatchObject(SERIES.map((id) => ({ id, metricKey: `metric-${id}` })));
  expect((await store.latest()).map(({ value }) => value)).toEqual([798 / 4, 799 / 4, 797 / 4]);
  await store.close();
  expect(await rowsOf(dir, true)).toBe(ROWS);
});

test('a file that stands there twice counts once; a damaged one is moved aside and named', async () => {
  const dir = await copyOf(late);
  for (const name of DATABASE) await rm(join(dir, name));
  const paths = await sealedPaths(join(dir, 'sealed'));
  const [first, second] = paths.map((path) => join(dir, 'sealed', path)) as [string, string];
  await copyFile(first, join(first, '..', basename(first).replace(/-\d+-/, '-777-')));
  await flip(second, 300);
  const inspection = await inspectStore(dir);
  const report = await repairStore({ dir, asideDir: `${dir}-aside`, oldestOf: () => 0 }, inspection);
  expect(report.unreadable).toEqual([expect.stringMatching(new RegExp(`${basename(second)}: .*checksum`))]);
  expect(await sealedPaths(join(`${dir}-aside`, 'store', 'sealed'))).toEqual([paths[1]]);
  expect(await rowsOf(dir, true)).toBe(ROWS);
});

test('a repair that is cut off at any moment leaves all sealed files in their place', async () => {
  const dir = await copyOf(late);
  // As it would be between two of its steps: the old database is aside, the new one is not in its place yet.
  for (const name of DATABASE) await rm(join(dir, name));
  await writeFile(join(dir, 'repaired.duckdb'), 'half');
  await repaired(dir);
  expect(await rowsOf(dir)).toBe(SEALED_ROWS);
  expect((await readdir(dir)).filter((name) => name.includes('repaired') || name.includes('with'))).toEqual([]);
});

test('an older database beside newer sealed files deletes none of them: a start moves them aside and says so', async () => {
  const dir = await copyOf(late);
  for (const name of DATABASE) await copyFile(join(early, name), join(dir, name));
  const before = await sealedPaths(join(dir, 'sealed'));
  const told: string[] = [];
  await (await open(dir, told)).close();
  expect(told).toEqual([expect.stringMatching(/does not know these sealed files.*moved aside.*set-aside/)]);
  const kept = await sealedPaths(join(dir, 'sealed'));
  const [time] = await readdir(join(dir, 'set-aside'));
  const aside = await sealedPaths(join(dir, 'set-aside', time!, 'sealed'));
  expect(aside.length).toBeGreaterThan(0);
  expect([...kept, ...aside].sort()).toEqual(before);
});

test('an older database beside newer sealed files is named, and the repair lists them again', async () => {
  const dir = await copyOf(late);
  for (const name of DATABASE) await copyFile(join(early, name), join(dir, name));
  const [finding] = (await inspectStore(dir)).findings;
  expect(finding).toMatchObject({
    meaning: expect.stringContaining('older'),
    place: expect.stringContaining('sealed files'),
  });
  await repaired(dir);
  expect(await rowsOf(dir)).toBe(SEALED_ROWS);
  expect(await rowsOf(dir, true)).toBe(ROWS);
});
