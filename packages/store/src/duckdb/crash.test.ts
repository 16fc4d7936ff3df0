import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@fieldline/kit';
import { expect, test } from 'vitest';
import { expectedAfter, TOPIC } from './crash-rows.ts';
import { openDuckdbStore } from './open-store.ts';

const KILLS = 6;

test('killed at any moment: every resolved append is there once, with its position', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fieldline-store-'));
  const seed = Number(process.env.TEST_SEED);
  const chance = seededRandom(seed);
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const resolved = await runAndKill(dir, 20 + Math.floor(chance() * 120));
      const store = await openDuckdbStore({ dir });
      const { next } = await store.acquire(TOPIC, 0);
      expect(next, `seed ${seed}`).toBeGreaterThanOrEqual(resolved);
      const whole = { seriesIds: [1, 2, 3, 4, 5], from: 0, to: Date.UTC(2027, 0, 1) * 1000 };
      const found = new Map<number, Map<number, number>>();
      for (const { seriesId, sourceTime, value } of await store.readRaw({ ...whole, limit: 1e9 })) {
        expect(new Set(sourceTime).size).toBe(sourceTime.length);
        found.set(seriesId, new Map([...sourceTime].map((time, row) => [time, value[row]!])));
      }
      expect(found.size, `seed ${seed}`).toBe(5);
      const expected = expectedAfter(next);
      for (const [seriesId, samples] of expected) {
        expect(
          [...found.get(seriesId)!].sort(([a], [b]) => a - b),
          `seed ${seed}`,
        ).toEqual([...samples].sort(([a], [b]) => a - b));
      }
      const buckets = await store.readBuckets({ ...whole, resolution: '1h', limit: 1e6 });
      for (const { seriesId, count } of buckets) {
        expect(
          count.reduce((sum, each) => sum + each, 0),
          `seed ${seed}`,
        ).toBe(expected.get(seriesId)!.size);
      }
      expect((await store.statistics()).damage).toEqual([]);
      expect(await store.verify()).toEqual([]);
      expect(await readdir(dir), `seed ${seed}: what a kill leaves is known`).not.toContain('set-aside');
      await store.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}, 60_000);

/** Lets the writer append until it has told so many positions of this run; the last one that it told before it died. */
async function runAndKill(dir: string, appends: number): Promise<number> {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL('./crash-writer.ts', import.meta.url)), dir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  let told = 0;
  let last = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    last = Number(line);
    told += 1;
    if (told === appends) child.kill('SIGKILL');
  }
  await exited;
  expect(told, 'the writer ended by itself').toBeGreaterThanOrEqual(appends);
  return last;
}
