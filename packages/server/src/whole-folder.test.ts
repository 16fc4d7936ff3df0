import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FOLDER_PARTS, installationId, markOf, noteParts, readInstallation } from './installation-file.ts';
import { foreignParts, isDataFolder, missingParts, type WholeFolderOptions } from './whole-folder.ts';

let folder: string;
let dataDir: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fieldline-whole-'));
  dataDir = join(folder, 'a');
  fill(dataDir);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The files by which each part is known. */
function fill(path: string): void {
  const files = ['catalog/PG_VERSION', 'log/format', 'store/store.duckdb', 'broker/sessions.journal', 'secret.key'];
  for (const part of FOLDER_PARTS) mkdirSync(join(path, part), { recursive: true });
  for (const file of files) writeFileSync(join(path, file), 'x');
}

async function missing(options: Partial<WholeFolderOptions> = {}): Promise<string[]> {
  const found = await missingParts({ dataDir, catalogAdapter: 'pglite', hasKeySetting: false, ...options });
  return found.map(({ part }) => part);
}

function lose(...parts: string[]): void {
  for (const part of parts) rmSync(join(dataDir, part), { recursive: true });
}

test('a new folder misses nothing, a noted one every part that goes', async () => {
  lose(...FOLDER_PARTS, 'secret.key');
  expect(await missing()).toEqual([]);
  fill(dataDir);
  noteParts(dataDir);
  expect(await missing()).toEqual([]);
  for (const part of FOLDER_PARTS) {
    lose(part);
    expect(await missing()).toEqual([part]);
    mkdirSync(join(dataDir, part));
    mkdirSync(join(dataDir, part, 'lost+found'));
    expect(await missing()).toEqual([part]);
    lose(part);
    fill(dataDir);
  }
  lose('secret.key');
  expect(await missing()).toEqual(['key']);
  expect(await missing({ hasKeySetting: true })).toEqual([]);
});

test('a folder from before misses the catalog beside a log or a store, and the key beside a catalog', async () => {
  lose('log', 'store', 'secret.key');
  // Its first start may have been cut off before there was a log.
  expect(await missing()).toEqual(['key']);
  fill(dataDir);
  lose('catalog');
  expect(await missing()).toEqual(['catalog']);
  expect(await missing({ catalogAdapter: 'postgres' })).toEqual([]);
  lose('log', 'store');
  mkdirSync(join(dataDir, 'catalog.copies'));
  writeFileSync(join(dataDir, 'catalog.copies/2026-01-01T00-00-00.000Z.copy'), '');
  expect(await missing()).toEqual(['catalog']);
});

test('where the file is gone or damaged the parts say which installation it is, and all are missed', async () => {
  noteParts(dataDir);
  const id = installationId(dataDir);
  const file = join(dataDir, 'installation.json');
  for (const harm of [() => rmSync(file), () => writeFileSync(file, readFileSync(file, 'utf8').replace(id[3]!, 'x'))]) {
    noteParts(dataDir);
    harm();
    lose('store');
    expect(await missing()).toEqual(['store']);
    expect(installationId(dataDir)).toBe(id);
    fill(dataDir);
    noteParts(dataDir);
    expect(readInstallation(dataDir)).toEqual({ id, parts: ['broker', 'catalog', 'key', 'log', 'store'] });
  }
});

test('a part of another installation is known; one that has no mark, or a damaged one, gets it', () => {
  const other = join(folder, 'b');
  fill(other);
  for (const path of [dataDir, other]) noteParts(path);
  expect(foreignParts(dataDir)).toEqual([]);
  lose('store');
  cpSync(join(other, 'store'), join(dataDir, 'store'), { recursive: true });
  expect(foreignParts(dataDir)).toMatchObject([{ file: join(dataDir, 'store'), mend: 'none' }]);
  const mark = join(dataDir, 'log/installation');
  writeFileSync(
    mark,
    readFileSync(mark, 'utf8').replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
  );
  expect(markOf(dataDir, 'log')).toBe(null);
  expect(foreignParts(dataDir)).toMatchObject([{ file: mark, mend: 'restart' }, { mend: 'none' }]);
  noteParts(dataDir);
  expect(markOf(dataDir, 'log')).toBe(installationId(dataDir));
  expect(foreignParts(dataDir).length).toBe(1);
});

test('parts that are given up are missed no more, others are', async () => {
  noteParts(dataDir);
  lose('store', 'broker');
  noteParts(dataDir, ['store']);
  expect(await missing()).toEqual(['broker']);
});

test('any other folder is no data folder', () => {
  expect(isDataFolder(dataDir)).toBe(true);
  lose('log', 'store', 'catalog', 'broker');
  expect(isDataFolder(dataDir)).toBe(true);
  lose('secret.key');
  for (const name of ['log', 'catalog', 'lib']) mkdirSync(join(dataDir, name));
  writeFileSync(join(dataDir, 'log/messages'), '');
  expect(isDataFolder(dataDir)).toBe(false);
  expect(existsSync(join(dataDir, 'installation.json'))).toBe(false);
});
