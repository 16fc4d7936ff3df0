/**
 * A power cut takes nothing that is sealed: not right after sealing, and at no moment of a repair. The store's real code runs under
 * strace; what a disk would have kept is looked at after each name that was changed. Skipped where strace cannot be used.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDuckdbStore } from '@fieldline/store';
import { afterAll, expect, test } from 'vitest';
import { RecordedDisk } from './support/power-cut/recorded-disk.ts';
import { readCalls, recording, recordingEnded, straceProblem } from './support/power-cut/system-calls.ts';
import { temporaryFolder } from './support/server-process.ts';

const PROGRAM = fileURLToPath(new URL('./support/power-cut/store.process.ts', import.meta.url));
const SAMPLES = 500;
const problem = straceProblem();
const folder = temporaryFolder('store-cut');
const root = join(folder.path, 'disk');
afterAll(() => folder.remove());

/** Runs the process on the root; what a disk would hold after each change of a name, and at its end. */
async function cutsOf(what: 'seal' | 'repair'): Promise<string[]> {
  const trace = join(folder.path, `trace-${what}`);
  mkdirSync(trace);
  const disk = new RecordedDisk(root);
  const [command, ...options] = recording(trace);
  const program = [process.execPath, PROGRAM, what, join(root, 'store'), join(root, 'set-aside', 'now')];
  const [code] = await once(spawn(command!, [...options, ...program], { stdio: 'inherit' }), 'exit');
  expect(code).toBe(0);
  await recordingEnded(trace);
  const calls = readCalls(trace);
  disk.take(calls);
  const moments = calls.filter(({ name, path }) => /^(rename|unlink)/.test(name) && path.startsWith(root));
  const times = [...moments.map(({ endedAt }) => endedAt).sort((a, b) => a - b), Number.POSITIVE_INFINITY];
  return times.map((time, index) => {
    const target = join(folder.path, `${what}-${index}`);
    mkdirSync(target);
    disk.advanceTo(time);
    disk.writeTo(target, 'lost');
    return join(target, 'store');
  });
}

function sealedIn(dir: string): string[] {
  const sealed = join(dir, 'sealed');
  const names = existsSync(sealed) ? readdirSync(sealed, { recursive: true, encoding: 'utf8' }) : [];
  return names.filter((name) => /day=.*\.parquet$/.test(name)).sort();
}

async function samplesIn(dir: string): Promise<number> {
  const store = await openDuckdbStore({ dir });
  try {
    const columns = await store.readRaw({ seriesIds: [1], from: 0, to: 9e15, limit: 1e6 });
    return columns.reduce((sum, { sourceTime }) => sum + sourceTime.length, 0);
  } finally {
    await store.close();
  }
}

test.skipIf(problem !== null)(
  'what is sealed outlives a power cut, in folders that nobody has flushed before',
  async () => {
    mkdirSync(join(root, 'store'), { recursive: true });
    const [end] = (await cutsOf('seal')).slice(-1);
    expect(sealedIn(end!)).toEqual(sealedIn(join(root, 'store')));
    expect(await samplesIn(end!)).toBe(SAMPLES);
  },
  60_000,
);

test.skipIf(problem !== null)(
  'a repair that a power cut ends at any moment leaves every sealed file where it is',
  async () => {
    const before = sealedIn(join(root, 'store'));
    expect(before).toHaveLength(1);
    for (const name of ['store.duckdb', 'store.duckdb.blocks']) rmSync(join(root, 'store', name));
    writeFileSync(join(root, 'store', 'store.duckdb'), 'no database');
    const cuts = await cutsOf('repair');
    expect(cuts.length).toBeGreaterThan(3);
    for (const dir of cuts) expect(sealedIn(dir), dir).toEqual(before);
    expect(await samplesIn(cuts.at(-1)!)).toBe(SAMPLES);
  },
  60_000,
);
