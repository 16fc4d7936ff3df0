import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { seededRandom } from '@fieldline/kit';
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

test('positions that were left out on purpose are not missed, records behind a cut are', async () => {
  for (const [name, from] of [
    ['ahead', 60],
    ['begun-ahead', 0],
  ] as const) {
    const dir = join(base, name);
    if (from > 0) await cp(whole, dir, { recursive: true });
    const log = await openEmbeddedLog({ dir, topics: TOPICS });
    await log.advance(TOPIC, 0, 100);
    await log.close();
    expect((await inspectLog(dir)).findings).toEqual([]);
    const again = await openEmbeddedLog({ dir, topics: TOPICS });
    await again.append(TOPIC, testBatch(new TestOrigins(), testRecords(100, 5)));
    await again.close();
    const { findings, partitions } = await inspectLog(dir);
    expect(findings).toEqual([]);
    expect(partitions).toMatchObject([{ next: 105 }]);
    await rm(join(dir, TOPIC, '0/0000000000000064.seg'), { force: true });
    await rm(join(dir, TOPIC, '0/0000000000000100.seg'), { force: true });
    expect((await inspectLog(dir)).findings).toMatchObject([
      { place: expect.stringMatching(`records ${from} to 104`) },
    ]);
  }
});

test('a folder that is not there is empty', async () => {
  expect(await inspectLog(join(base, 'none'))).toMatchObject({ findings: [], partitions: [] });
});

test('any changed bit and any truncation is found, with its file, and no record is given out wrong', async () => {
  const seed = Number(process.env.TEST_SEED);
  const chance = seededRandom(seed);
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

test('a file that is gone is named, with its records', async () => {
  const names = (await readdir(whole, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(whole, join(entry.parentPath, entry.name)));
  for (const name of names) {
    const dir = join(base, 'without');
    await cp(whole, dir, { recursive: true });
    await rm(join(dir, name));
    const { findings } = await inspectLog(dir);
    const told = findings.find(({ file, meaning }) => `${file} ${meaning}`.includes(join(dir, name)));
    expect(told, name).toBeDefined();
    if (name.endsWith('.seg')) expect(told!.place).toMatch(/^records \d+ to \d+$/);
    await rm(dir, { recursive: true });
  }
});

test('a file in the place of another is named, and nothing of it is given out', async () => {
  const folder = join(whole, TOPIC, '0');
  const names = (await readdir(folder)).sort();
  const foreign = join(base, 'foreign');
  const log = await openEmbeddedLog({ dir: foreign, topics: { 'dead-letters': TOPICS[TOPIC] } });
  await log.append('dead-letters', testBatch(new TestOrigins(), testRecords(900, 5)));
  await log.close();
  const known = new Map((await readWhole(whole)).map((record) => [record.position, record.sequence]));
  const others = [join(folder, names[0]!), join(folder, names[2]!), join(foreign, 'dead-letters/0', names[0]!)];
  for (const place of [names[0]!, names[1]!, names.at(-1)!]) {
    for (const [index, other] of others.entries()) {
      const file = join(TOPIC, '0', place);
      if (other === join(whole, file)) continue;
      const dir = join(base, `misplaced-${index}`);
      await cp(whole, dir, { recursive: true });
      await cp(other, join(dir, file));
      const { findings } = await inspectLog(dir);
      expect(findings[0]).toMatchObject({
        file: join(dir, file),
        meaning: expect.stringMatching(/another segment.*lost/),
      });
      const found = await readWhole(dir);
      const next = names[names.indexOf(place) + 1];
      const lost = (next === undefined ? known.size : firstOf(next)) - firstOf(place);
      expect(found.length, file).toBe(known.size - lost);
      for (const { position, sequence } of found) expect(known.get(position), file).toBe(sequence);
      await rm(dir, { recursive: true });
    }
  }
});

function firstOf(name: string): number {
  return Number(name.slice(0, 16));
}

async function readWhole(dir: string): ReturnType<typeof readAll> {
  const log = await openEmbeddedLog({ dir, topics: TOPICS });
  try {
    return await readAll(log, TOPIC);
  } finally {
    await log.close();
  }
}
