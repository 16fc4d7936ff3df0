import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAll, TestOrigins, testBatch, testRecords } from '../testing.ts';
import { openEmbeddedLog } from './embedded-log.ts';
import { inspectGroupPositions } from './group-positions.ts';
import { inspectLog } from './inspect-log.ts';

const TOPIC = 'telemetry.raw';
const TOPICS = { [TOPIC]: { partitions: 1, retentionMs: null, retentionBytes: null } };
const INJURIES = 200;
let base: string;
let whole: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fieldline-inspect-'));
  whole = join(base, 'whole');
  const log = await openEmbeddedLog({ dir: whole, topics: TOPICS, segmentBytesMax: 4096 });
  const origins = new TestOrigins();
  for (let append = 0; append < 12; append++) await log.append(TOPIC, testBatch(origins, testRecords(append * 5, 5)));
  await log.commitPosition('consumer', TOPIC, 0, 60);
  await log.close();
});
afterAll(() => rm(base, { recursive: true }));

test('a sound log has no findings', async () => {
  const { findings, counts, partitions } = await inspectLog(whole);
  expect(findings).toEqual([]);
  expect(counts.records).toBe(60);
  expect(partitions).toMatchObject([{ topic: TOPIC, partition: 0, first: 0, next: 60 }]);
});

test('a folder that is not there is empty', async () => {
  expect(await inspectLog(join(base, 'none'))).toMatchObject({ findings: [], partitions: [] });
});

test('any changed bit and any truncation is found, with its file, and no record is given out wrong', async () => {
  const seed = Date.now() % 1_000_000;
  const chance = random(seed);
  const names = (await readdir(whole, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(whole, join(entry.parentPath, entry.name)));
  const known = new Map((await readWhole(whole)).map((record) => [record.position, record.sequence]));
  for (let injury = 0; injury < INJURIES; injury++) {
    const dir = join(base, `injured-${injury}`);
    await cp(whole, dir, { recursive: true });
    const name = names[Math.floor(chance() * names.length)]!;
    const path = join(dir, name);
    const bytes = await readFile(path);
    const at = Math.floor(chance() * bytes.length);
    const isCut = chance() < 0.3;
    bytes[at]! ^= isCut ? 0 : 1 << Math.floor(chance() * 8);
    await writeFile(path, isCut ? bytes.subarray(0, at) : bytes);
    const what = `seed ${seed}, ${name} ${isCut ? 'cut' : 'changed'} at ${at} of ${(await stat(path)).size}`;
    const { findings } = await inspectLog(dir);
    // A journal that ends after a whole record is what it was earlier: consumers read again from there, which they must bear.
    const isEarlier = name === 'groups' && isCut && (await inspectGroupPositions(path)).tornBytes === 0;
    if (!isEarlier) expect(findings.length, what).toBeGreaterThan(0);
    if (name !== 'format') {
      for (const { position, sequence } of await readWhole(dir)) expect(known.get(position), what).toBe(sequence);
    }
    await rm(dir, { recursive: true });
  }
}, 60_000);

async function readWhole(dir: string): ReturnType<typeof readAll> {
  const log = await openEmbeddedLog({ dir, topics: TOPICS });
  try {
    return await readAll(log, TOPIC);
  } finally {
    await log.close();
  }
}

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
