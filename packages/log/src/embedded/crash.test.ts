import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@fieldline/kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogDamage } from '../log.ts';
import { readAll, TestOrigins, testBatch, testRecords } from '../testing.ts';
import { type EmbeddedLog, openEmbeddedLog } from './embedded-log.ts';
import { partitionFolder } from './embedded-reader.ts';
import { listSegments, segmentPath } from './segment.ts';

const TOPIC = 'telemetry.raw';
const WRITER = fileURLToPath(new URL('./crash-writer.fixture.ts', import.meta.url));
const TOPICS = { [TOPIC]: { partitions: 1, retentionMs: null, retentionBytes: null } };
let base: string;
let dir: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'fieldline-crash-'));
  dir = join(base, 'log');
});
afterEach(() => rm(base, { recursive: true }));

interface Entry {
  readonly from: number;
  readonly count: number;
  readonly position: number;
}

/** Runs the writer until it has acknowledged `entriesMin` appends, then kills it. */
async function killWriter(first: number, entriesMin: number): Promise<Entry[]> {
  const child = spawn(process.execPath, [WRITER, dir, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString();
    if (text.split('\n').length > entriesMin) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  expect(child.signalCode).toBe('SIGKILL');
  const lines = text.slice(0, text.lastIndexOf('\n')).split('\n');
  return lines.map((line) => JSON.parse(line) as Entry);
}

describe('the embedded log killed with SIGKILL', () => {
  it('has everything that was acknowledged, once, at its position, and no damage', async () => {
    const ledger: Entry[] = [];
    for (const [round, entriesMin] of [3, 40, 150, 11].entries()) {
      ledger.push(...(await killWriter(round * 1_000_000, entriesMin)));
    }
    const damage: LogDamage[] = [];
    const log = await openEmbeddedLog({ dir, onDamage: (found) => damage.push(found) });
    const all = await readAll(log, TOPIC);
    await log.close();
    expect(damage).toEqual([]);
    expect(all.map(({ position }) => position)).toEqual(all.map((_, i) => i));
    expect(new Set(all.map(({ sequence }) => sequence)).size).toBe(all.length);
    expect(ledger.length).toBeGreaterThanOrEqual(204);
    for (const { from, count, position } of ledger) {
      const found = all.slice(position, position + count).map(({ sequence }) => sequence);
      expect(found).toEqual(Array.from({ length: count }, (_, i) => from + i));
    }
  });
});

/** A log with some segments and some chunks in the last one, closed. */
async function makeLog(segmentBytesMax: number, appends: number, records: number): Promise<void> {
  const log = await openEmbeddedLog({ dir, topics: TOPICS, segmentBytesMax });
  const origins = new TestOrigins();
  for (let i = 0; i < appends; i++) await log.append(TOPIC, testBatch(origins, testRecords(i * records, records)));
  await log.close();
  // As after a kill: without the end that close() writes down.
  await rm(join(dir, 'groups'));
}

interface Reopened {
  readonly positions: number[];
  readonly damage: LogDamage[];
  readonly next: number;
}

/** Opens a copy, reads all, appends one more and reads it too. Throws where a wrong record is given out. */
async function reopen(copy: string): Promise<Reopened> {
  const damage: LogDamage[] = [];
  let log: EmbeddedLog = await openEmbeddedLog({ dir: copy, topics: TOPICS, onDamage: (found) => damage.push(found) });
  const all = await readAll(log, TOPIC);
  for (const { sequence, position } of all) expect(position).toBe(sequence);
  const { next } = (await log.bounds(TOPIC))[0]!;
  const more = await log.append(TOPIC, testBatch(new TestOrigins(), testRecords(next, 1)));
  expect(more).toMatchObject([{ firstPosition: next, count: 1 }]);
  expect(await readAll(log, TOPIC, 0, next)).toHaveLength(1);
  await log.close();
  log = await openEmbeddedLog({ dir: copy, topics: TOPICS });
  expect((await readAll(log, TOPIC)).length).toBe(all.length + 1);
  await log.close();
  return { positions: all.map(({ position }) => position), damage, next };
}

async function lastSegment(folder: string): Promise<string> {
  const partition = partitionFolder(folder, TOPIC, 0);
  return segmentPath(partition, (await listSegments(partition)).at(-1)!);
}

describe('the embedded log after a torn write', () => {
  it('loses the last append alone, wherever it was cut off', async () => {
    await makeLog(1_000_000, 4, 3);
    const shorter = (await stat(await lastSegment(dir))).size;
    await rm(dir, { recursive: true });
    await makeLog(1_000_000, 5, 3);
    const whole = (await stat(await lastSegment(dir))).size;
    for (let length = shorter; length < whole; length += 1) {
      const copy = join(base, 'copy');
      await cp(dir, copy, { recursive: true });
      await truncate(await lastSegment(copy), length);
      const { positions, damage, next } = await reopen(copy);
      expect({ length, count: positions.length, damage, next }).toEqual({ length, count: 12, damage: [], next: 12 });
      await rm(copy, { recursive: true });
    }
  }, 120_000);

  it('starts a partition anew whose first append was cut off', async () => {
    await makeLog(1_000_000, 1, 3);
    for (const length of [0, 1, 63, 64, 65, 200]) {
      const copy = join(base, 'copy');
      await cp(dir, copy, { recursive: true });
      await truncate(await lastSegment(copy), length);
      expect(await reopen(copy)).toEqual({ positions: [], damage: [], next: 0 });
      await rm(copy, { recursive: true });
    }
  });

  it('notices a lost end that was known: by a clean close or by a consumer', async () => {
    const log = await openEmbeddedLog({ dir });
    for (let i = 0; i < 4; i++) await log.append(TOPIC, testBatch(new TestOrigins(), testRecords(i * 3, 3)));
    const { size } = await stat(await lastSegment(dir));
    await log.append(TOPIC, testBatch(new TestOrigins(), testRecords(12, 3)));
    await log.close();
    await truncate(await lastSegment(dir), size);
    const { positions, damage, next } = await reopen(dir);
    expect(positions.length).toBe(12);
    expect(damage).toMatchObject([{ topic: TOPIC, partition: 0 }]);
    expect(next).toBe(15);
  });
});

describe('the embedded log with damage on disk', () => {
  it('finds every damaged place, gives out the rest, and never uses a position twice', {
    timeout: 60_000,
  }, async () => {
    await makeLog(2_000, 20, 4);
    const partition = partitionFolder(dir, TOPIC, 0);
    const firsts = await listSegments(partition);
    expect(firsts.length).toBeGreaterThan(4);
    const seed = Number(process.env.TEST_SEED);
    const random = seededRandom(seed);
    for (let round = 0; round < 300; round++) {
      const copy = join(base, 'copy');
      await cp(dir, copy, { recursive: true });
      const index = Math.floor(random() * firsts.length);
      const path = segmentPath(partitionFolder(copy, TOPIC, 0), firsts[index]!);
      const bytes = await readFile(path);
      // The end of the last file may be cut off without being damage: see the tests of torn writes.
      const isTruncation = index < firsts.length - 1 && random() < 0.3;
      const at = Math.floor(random() * bytes.length);
      if (isTruncation) await truncate(path, at);
      else {
        bytes[at]! ^= 1 << Math.floor(random() * 8);
        await writeFile(path, bytes);
      }
      const what = `seed ${seed}, round ${round}: segment ${index}, ${isTruncation ? 'cut' : 'bit'} at ${at}`;
      const { positions, damage, next } = await reopen(copy);
      expect(damage.length, what).toBeGreaterThan(0);
      expect(next, what).toBeGreaterThanOrEqual(80);
      if (!isTruncation) expect(positions.length, what).toBeGreaterThanOrEqual(76);
      else expect(positions.length, what).toBeGreaterThanOrEqual(80 - recordsIn(firsts, index));
      await rm(copy, { recursive: true });
    }
  });

  it('reports a segment that is missing altogether', async () => {
    await makeLog(2_000, 20, 4);
    const partition = partitionFolder(dir, TOPIC, 0);
    const firsts = await listSegments(partition);
    await rm(segmentPath(partition, firsts[2]!));
    const { positions, damage } = await reopen(dir);
    expect(positions.length).toBe(80 - recordsIn(firsts, 2));
    expect(damage[0]?.reason).toContain(`records ${firsts[2]} to ${firsts[3]! - 1} are missing`);
  });
});

function recordsIn(firsts: readonly number[], index: number): number {
  return (firsts[index + 1] ?? 80) - firsts[index]!;
}
