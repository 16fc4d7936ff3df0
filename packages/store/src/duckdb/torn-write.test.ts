/**
 * A power cut tears the last write: the write-ahead log is cut off at every kind of place, or pages of its end are missing. The
 * store opens, and holds exactly what its position says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectedAfter, TOPIC } from './crash-rows.ts';
import { openDuckdbStore } from './open-store.ts';

const APPENDS = 12;
const CUTS = 16;
/** What each transaction ends with in the log. */
const TRANSACTION_END = Buffer.from('640064ffff', 'hex');

let folder: string;
let whole: string;
let byteLength: number;
/** Where the last whole transaction begins. */
let lastBegin: number;
let copies = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fieldline-torn-'));
  whole = join(folder, 'whole');
  const program = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [program, whole], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let told = 0;
  for await (const _ of createInterface({ input: child.stdout! })) {
    told += 1;
    if (told === APPENDS) child.kill('SIGKILL');
  }
  await exited;
  const log = await readFile(join(whole, 'store.duckdb.wal'));
  byteLength = log.lastIndexOf(TRANSACTION_END) + TRANSACTION_END.length;
  lastBegin = log.lastIndexOf(TRANSACTION_END, byteLength - 2 * TRANSACTION_END.length) + TRANSACTION_END.length;
  await cutOff(join(whole, 'store.duckdb.wal'), byteLength);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Opens a copy whose log was harmed so; the position that it has reached, after comparing all samples with it. */
async function positionAfter(harm: (path: string) => Promise<void>): Promise<number> {
  copies += 1;
  const dir = join(folder, String(copies));
  await cp(whole, dir, { recursive: true });
  await harm(join(dir, 'store.duckdb.wal'));
  const store = await openDuckdbStore({ dir });
  const { next } = await store.acquire(TOPIC, 0);
  const query = { seriesIds: [1, 2, 3, 4, 5], from: 0, to: Date.UTC(2027, 0, 1) * 1000, limit: 1e9 };
  const found = new Map<number, [number, number][]>();
  for (const { seriesId, sourceTime, value } of await store.readRaw(query)) {
    if (sourceTime.length > 0)
      found.set(
        seriesId,
        [...sourceTime].map((time, row) => [time, value[row]!]),
      );
  }
  const expected = [...expectedAfter(next)].map(([seriesId, samples]) => [seriesId, samples.size]);
  expect([...found].map(([seriesId, samples]) => [seriesId, samples.length]).sort()).toEqual(expected.sort());
  for (const [seriesId, samples] of expectedAfter(next)) {
    for (const [time, value] of found.get(seriesId)!) expect(samples.get(time)).toBe(value);
  }
  await store.close();
  await rm(dir, { recursive: true });
  return next;
}

async function cutOff(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.truncate(length);
  await file.close();
}

async function zero(path: string, from: number, to: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(to - from), 0, undefined, from);
  await file.close();
}

test('cut off anywhere in the last write', async () => {
  const positions: number[] = [];
  for (let cut = 0; cut < CUTS; cut++) {
    const length = lastBegin + Math.floor(((byteLength - lastBegin) * cut) / CUTS);
    positions.push(await positionAfter((path) => cutOff(path, length)));
  }
  expect(new Set(positions).size).toBe(1);
  expect(await positionAfter(async () => {})).toBeGreaterThanOrEqual(positions[0]!);
}, 60_000);

test('the length is there, some of the last write is not', async () => {
  const before = await positionAfter((path) => cutOff(path, lastBegin));
  const pages: [from: number, to: number][] = [
    [lastBegin, byteLength],
    [lastBegin, lastBegin + 8],
    [lastBegin + 20, lastBegin + 40],
    [Math.floor((lastBegin + byteLength) / 2), byteLength],
    [byteLength - 10, byteLength],
  ];
  for (const [from, to] of pages) {
    const position = await positionAfter((path) => zero(path, from, to));
    expect(position, `zeros from ${from} to ${to} of ${byteLength}`).toBe(before);
  }
}, 60_000);

test('damage before the last write is not taken for a torn end', async () => {
  await expect(positionAfter((path) => zero(path, lastBegin - 60, lastBegin - 40))).rejects.toThrow('Corrupt WAL file');
});
