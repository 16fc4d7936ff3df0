import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { seededRandom } from '@fieldline/kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCatalog } from '../open-catalog.ts';
import { removeFolder, SECRET_KEY, temporaryFolder } from '../testing.ts';
import { inspectCatalog } from './inspect-catalog.ts';
import { openPglite } from './pglite.ts';
import { PAGED_FILE } from './sums.ts';

const chance = seededRandom(Number(process.env.TEST_SEED));

const folder = temporaryFolder();
const closed = join(folder, 'closed');
const left = join(folder, 'left');

beforeAll(async () => {
  const catalog = await openCatalog({ adapter: 'pglite', dataDir: closed, secretKey: SECRET_KEY });
  await catalog.bootstrap({ adminEmail: 'admin@fieldline.local' });
  // As a killed process leaves it: nothing is under way, so the copy is what is on disk.
  copy(closed, left, false);
  await catalog.close();
}, 60_000);
afterAll(() => removeFolder(folder));

function copy(from: string, to: string, withSums: boolean): void {
  cpSync(from, to, { recursive: true });
  if (withSums) cpSync(`${from}.sums`, `${to}.sums`);
}

function files(of: string): string[] {
  const entries = readdirSync(of, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(of, join(entry.parentPath, entry.name)));
}

/** Flips a bit of a copy's file, or cuts it, looks, and gives the files that the findings name. */
async function injure(of: string, name: string, at: number, isCut: boolean): Promise<string[]> {
  const dir = join(folder, 'injured');
  copy(of, dir, of === closed);
  const bytes = readFileSync(join(dir, name));
  if (!isCut) bytes[at]! ^= 1 << (at % 8);
  writeFileSync(join(dir, name), isCut ? bytes.subarray(0, at) : bytes);
  const { findings } = await inspectCatalog(dir, { reading: false });
  rmSync(dir, { recursive: true });
  rmSync(`${dir}.sums`, { force: true });
  return findings.map(({ file }) => relative(dir, file));
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 1;
  return bytes;
}

describe('a catalog folder', () => {
  it('is sound after a clean end and after a kill, and every row is read', async () => {
    for (const dir of [closed, left]) {
      const { findings, counts } = await inspectCatalog(dir);
      expect(findings).toEqual([]);
      expect(counts.pages).toBeGreaterThan(1000);
      expect(counts.rows).toBeGreaterThan(1000);
    }
  }, 60_000);

  it('closed cleanly, is found changed wherever a bit or the end of a file is another', async () => {
    const names = files(closed).filter((name) => readFileSync(join(closed, name)).length > 0);
    for (let turn = 0; turn < 8; turn++) {
      const name = names[Math.floor(chance() * names.length)]!;
      const at = Math.floor(chance() * readFileSync(join(closed, name)).length);
      expect(await injure(closed, name, at, turn % 3 === 2), `${name} at ${at}`).toContain(name);
    }
  }, 60_000);

  it('left by a kill, has its pages and the log of its last changes checked', async () => {
    const paged = files(left).filter((name) => PAGED_FILE.test(name) && readFileSync(join(left, name)).length > 0);
    for (let turn = 0; turn < 3; turn++) {
      const name = paged[Math.floor(chance() * paged.length)]!;
      const at = Math.floor(chance() * readFileSync(join(left, name)).length);
      expect(await injure(left, name, at, false), `${name} at ${at}`).toContain(name);
    }
    const log = files(left).find((name) => name.startsWith('pg_wal/0'))!;
    const redo = Number(readFileSync(join(left, 'global/pg_control')).readBigUInt64LE(40)) % 2 ** 24;
    for (const behind of [30, 5000, 100_000]) expect(await injure(left, log, redo + behind, false)).toEqual([log]);
  }, 60_000);

  it('left by a kill, is not opened where a change that was acknowledged is missing, and is where only the end is torn', async () => {
    const mark = Number(readFileSync(join(left, 'flushed.mark')).readBigUInt64LE(0));
    const log = files(left).find((name) => name.startsWith('pg_wal/0'))!;
    const end = mark % 2 ** 24;
    const injuries: [what: string, opens: boolean, change: (bytes: Buffer) => Buffer][] = [
      ['the last record', false, (bytes) => flipped(bytes, end - 1)],
      ['one before', false, (bytes) => flipped(bytes, end - 2000)],
      ['cut off', false, (bytes) => bytes.subarray(0, end - 10)],
      ['something behind', true, (bytes) => bytes.fill(0x5a, Math.ceil(end / 8) * 8, Math.ceil(end / 8) * 8 + 100)],
    ];
    for (const [what, opens, change] of injuries) {
      const dir = join(folder, `log-${what.replaceAll(' ', '-')}`);
      copy(left, dir, false);
      writeFileSync(join(dir, log), change(readFileSync(join(dir, log))));
      const { findings } = await inspectCatalog(dir, { reading: false });
      expect(findings, what).toMatchObject([{ file: join(dir, log), mend: opens ? 'restart' : 'none' }]);
      if (opens) await (await openPglite({ dataDir: dir })).close();
      else await expect(openPglite({ dataDir: dir })).rejects.toMatchObject({ code: 'CATALOG_DAMAGED' });
    }
  }, 60_000);

  it('whose state files have changed is not opened; a damaged page is told, and keeps nothing else from work', async () => {
    for (const [name, opens] of [
      ['pg_xact/0000', false],
      ['base/1/1255', true],
    ] as const) {
      const dir = join(folder, `opened-${opens}`);
      copy(closed, dir, true);
      const bytes = readFileSync(join(dir, name));
      bytes[100]! ^= 1;
      writeFileSync(join(dir, name), bytes);
      const told: string[] = [];
      const logger = { ...console, level: 'error', error: (_: object, text: string) => told.push(text) };
      const opening = openPglite({ dataDir: dir, logger: logger as never });
      if (opens) {
        await (await opening).close();
        expect(told).toEqual([expect.stringContaining(name)]);
      } else await expect(opening).rejects.toThrow(new RegExp(`${name} is damaged.*doctor`));
    }
  }, 60_000);
});
