/** `fieldline doctor` as an operator runs it: refuses a running server's folder, names damage, and brings telemetry back from the log. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldline } from './support/command-line.ts';
import {
  compareAll,
  copyFolder,
  ENVIRONMENT,
  type KnownFolder,
  makeKnownFolder,
  SAMPLES,
} from './support/corruption/known-folder.ts';
import { startServer, temporaryFolder } from './support/server-process.ts';

const WHOLE = { equal: SAMPLES, missing: 0, wrong: 0 };
const folder = temporaryFolder('doctor');
const dataDir = join(folder.path, 'patient');
let known: KnownFolder;

beforeAll(async () => {
  known = await makeKnownFolder(folder.path);
}, 300_000);
afterAll(() => folder.remove());

function patient(from = known.stopped): void {
  rmSync(dataDir, { recursive: true, force: true });
  copyFolder(from, dataDir);
}

async function doctor(...flags: string[]): Promise<{ code: number | null; text: string; files: string[] }> {
  const { code, stdout, stderr } = await fieldline(['doctor', '--data-dir', dataDir, '--json', ...flags]);
  const parts = stdout === '' ? [] : (JSON.parse(stdout) as { parts: { findings: { file: string }[] }[] }).parts;
  const files = parts.flatMap(({ findings }) => findings.map(({ file }) => relative(dataDir, file)));
  return { code, text: stdout + stderr, files };
}

function sealedFile(): string {
  const names = readdirSync(join(dataDir, 'store/sealed'), { recursive: true }).map(String);
  return join('store/sealed', names.find((name) => /day=.*parquet$/.test(name))!);
}

function flip(name: string, at: number): void {
  const path = join(dataDir, name);
  const bytes = readFileSync(path);
  bytes[at]! ^= 4;
  writeFileSync(path, bytes);
}

/** What a server tells of the known samples; `meanwhile` runs while it does. */
async function served(meanwhile = async () => {}): Promise<unknown> {
  const server = await startServer({ dataDir, environment: ENVIRONMENT });
  try {
    await meanwhile();
    return await compareAll(server, known);
  } finally {
    await server.stop();
  }
}

test('a folder that is not there cannot be looked at', async () => {
  rmSync(dataDir, { recursive: true, force: true });
  expect(await doctor()).toMatchObject({ code: 2, text: expect.stringContaining('is not there') });
}, 60_000);

test('folders are sound as a clean stop and as a kill left them', async () => {
  for (const from of [known.stopped, known.killed]) {
    patient(from);
    expect(await doctor()).toMatchObject({ code: 0, files: [] });
  }
}, 60_000);

test('a changed sealed file is named; its samples come again from the log, and it is kept aside', async () => {
  patient();
  const name = sealedFile();
  flip(name, 300);
  expect(await doctor()).toMatchObject({ code: 1, files: [name] });
  expect(await doctor('--repair')).toMatchObject({ code: 0, text: expect.stringContaining('set-aside') });
  const whileRunning = async (): Promise<void> => {
    expect(await doctor()).toMatchObject({ code: 2, text: expect.stringContaining('is in use by process') });
  };
  expect(await served(whileRunning)).toEqual(WHOLE);
  expect(await doctor()).toMatchObject({ code: 0, files: [] });
}, 120_000);

test('a damaged database is named and made anew: sealed files are taken over, the rest comes from the log', async () => {
  patient(known.killed);
  const name = 'store/store.duckdb.wal';
  flip(name, Math.floor(statSync(join(dataDir, name)).size / 2));
  const before = await doctor();
  expect(before).toMatchObject({ code: 1, files: [name], text: expect.stringMatching(/byte \d+/) });
  await expect(served()).rejects.toThrow(/store.*doctor --repair/s);
  expect(await doctor('--repair')).toMatchObject({ code: 0, text: expect.stringContaining('moved') });
  expect(await served()).toEqual(WHOLE);
}, 120_000);

test('a damaged catalog is restored from its copy; a log that was cut off is named, with what it has lost', async () => {
  patient();
  const log = 'log/telemetry.raw/0/0000000000000000.seg';
  truncateSync(join(dataDir, log), 20_000);
  flip('catalog/pg_xact/0000', 20);
  const { code, files, text } = await doctor('--repair');
  expect({ code, files: new Set(files) }).toEqual({ code: 1, files: new Set([log, 'catalog/pg_xact/0000']) });
  // Of the log's lost records nothing is left anywhere.
  expect(text).not.toMatch(/"notMended".*catalog/s);
  expect(text).toMatch(/records \d+ to \d+/);
  expect(text).toMatch(/catalog: restored from its copy of 20.*Z; what was there is in .*set-aside/);
  expect(await doctor()).toMatchObject({ files: expect.not.arrayContaining(['catalog']) });
}, 120_000);

test('a catalog that is gone is restored from its copy, and every sample is told again', async () => {
  patient(known.killed);
  // The last change that was acknowledged: the mark says that it was flushed.
  const end = Number(readFileSync(join(dataDir, 'catalog/flushed.mark')).readBigUInt64LE(0));
  const segment = Math.floor(end / 2 ** 24)
    .toString(16)
    .toUpperCase()
    .padStart(8, '0');
  flip(`catalog/pg_wal/0000000100000000${segment}`, (end % 2 ** 24) - 1);
  await expect(served()).rejects.toThrow(/catalog.*doctor --repair/s);
  expect(await doctor('--repair')).toMatchObject({ code: 0, text: expect.stringContaining('restored from its copy') });
  expect(await served()).toEqual(WHOLE);
  patient();
  rmSync(join(dataDir, 'catalog'), { recursive: true });
  expect(await doctor('--repair')).toMatchObject({ code: 0, files: ['catalog'] });
  expect(await served()).toEqual(WHOLE);
}, 240_000);
