/**
 * Data folders of which a part is missing, empty or another installation's, as a volume that is not mounted leaves them: a start
 * refuses them and makes nothing, the doctor says what it means, and --repair goes on with what is elsewhere.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldline } from './support/command-line.ts';
import { exchange, FilledFolder } from './support/filled-folder.ts';
import { startServer } from './support/server-process.ts';

let folder: FilledFolder;
/** The same some samples earlier. */
let earlier: string;

beforeAll(async () => {
  folder = await FilledFolder.make('missing', 3);
  earlier = folder.copyWithout();
  const server = await startServer({ dataDir: folder.whole });
  // Metrics that the catalog of before does not know.
  for (let value = 3; value < 5; value++) await folder.publish(server, { value, [`flow-${value}`]: 1 });
  await folder.stored(server, 5);
  await server.stop();
}, 120_000);
afterAll(() => folder.remove());

async function doctor(
  dataDir: string,
  ...flags: string[]
): Promise<{ code: number | null; text: string; files: string[] }> {
  const { code, stdout, stderr } = await fieldline(['doctor', '--data-dir', dataDir, '--json', ...flags]);
  const parts = stdout === '' ? [] : (JSON.parse(stdout) as { parts: { findings: { file: string }[] }[] }).parts;
  const files = parts.flatMap(({ findings }) => findings.map(({ file }) => relative(dataDir, file)));
  return { code, text: stdout + stderr, files };
}

/** Starts it, sends one more, and waits for so many samples in all. */
async function goesOn(dataDir: string, count: number): Promise<void> {
  const server = await startServer({ dataDir });
  await folder.publish(server, { value: 6 });
  await folder.stored(server, count);
  expect(await server.stop()).toBe(0);
}

test('an empty catalog folder is refused, no copy of the catalog is touched, and the doctor restores it', async () => {
  const dataDir = folder.copyWithout(['catalog'], 'empty');
  const copiesBefore = readdirSync(join(dataDir, 'catalog.copies'));
  await expect(startServer({ dataDir })).rejects.toThrow(/catalog: it is empty.*mount it.*doctor --repair/);
  expect(readdirSync(join(dataDir, 'catalog'))).toEqual([]);
  expect(readdirSync(join(dataDir, 'catalog.copies'))).toEqual(copiesBefore);
  expect(await doctor(dataDir)).toMatchObject({ code: 1, files: ['catalog'] });
  expect(await doctor(dataDir, '--repair')).toMatchObject({ code: 0, text: expect.stringContaining('restored') });
  await goesOn(dataDir, 6);
}, 120_000);

test('a store that is gone is refused; --repair has it read again from the log', async () => {
  const dataDir = folder.copyWithout(['store']);
  await expect(startServer({ dataDir })).rejects.toThrow(/store: it is missing: stored telemetry is lost/);
  expect(existsSync(join(dataDir, 'store'))).toBe(false);
  expect(await doctor(dataDir)).toMatchObject({ code: 1, files: ['store'] });
  expect(await doctor(dataDir, '--repair')).toMatchObject({ code: 0, text: expect.stringContaining('oldest record') });
  await goesOn(dataDir, 6);
  expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
}, 120_000);

test('a log that is gone is refused; --repair lets it go on behind what is stored, and that is told no more', async () => {
  const dataDir = folder.copyWithout(['log'], 'empty');
  await expect(startServer({ dataDir })).rejects.toThrow(/log: it is empty: records that were not stored yet/);
  expect(await doctor(dataDir)).toMatchObject({ code: 1, files: ['log'] });
  expect(await doctor(dataDir, '--repair')).toMatchObject({ code: 0, text: expect.stringContaining('is accepted') });
  expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
  await goesOn(dataDir, 6);
  expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
}, 120_000);

test.each(['--repair', 'start'])(
  'an older log is named; what it lacks is accepted by %s and told no more',
  async (by) => {
    const dataDir = folder.copyWithout();
    exchange(['log'], earlier, dataDir);
    expect(await doctor(dataDir)).toMatchObject({ code: 1, text: expect.stringContaining('the log ends before') });
    if (by === 'start') await (await startServer({ dataDir })).stop();
    else expect(await doctor(dataDir, by)).toMatchObject({ code: 0, text: expect.stringContaining('is accepted') });
    expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
    await goesOn(dataDir, 6);
    expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
  },
  120_000,
);

test('without secret.key nothing is made in its place; where the catalog is moved away it is restored with a new one', async () => {
  const dataDir = folder.copyWithout(['secret.key']);
  await expect(startServer({ dataDir })).rejects.toThrow(/secret.key: it is missing: what is encrypted in the catalog/);
  for (const flags of [[], ['--repair']])
    expect(await doctor(dataDir, ...flags)).toMatchObject({ code: 1, files: ['secret.key'] });
  expect(existsSync(join(dataDir, 'secret.key'))).toBe(false);
  rmSync(join(dataDir, 'catalog'), { recursive: true });
  expect(await doctor(dataDir, '--repair')).toMatchObject({ code: 0, text: expect.stringContaining('made anew') });
  await goesOn(dataDir, 6);
}, 120_000);

test('a catalog that is older than the store is named, with the series that it does not know, until a start has mended it', async () => {
  const dataDir = folder.copyWithout();
  exchange(['catalog', 'catalog.sums'], earlier, dataDir);
  const text = expect.stringMatching(/2 series: flow-3 of .*, flow-4 of .*older than the store/s);
  expect(await doctor(dataDir)).toMatchObject({ code: 1, files: ['catalog'], text });
  expect(await doctor(dataDir, '--repair')).toMatchObject({
    code: 0,
    text: expect.stringContaining('left to the next start'),
  });
  await goesOn(dataDir, 6);
  expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
}, 120_000);

test('a damaged sandbox is named, and moved aside by --repair', async () => {
  const dataDir = folder.copyWithout();
  const sandbox = join('sandbox', '01890000-0000-7000-8000-000000000000');
  cpSync(join(dataDir, 'store'), join(dataDir, sandbox), { recursive: true });
  expect(await doctor(dataDir)).toMatchObject({ code: 0, text: expect.stringContaining('"sandboxes": 1') });
  truncateSync(join(dataDir, sandbox, 'store.duckdb'), 5000);
  expect(await doctor(dataDir)).toMatchObject({ code: 1, files: [sandbox] });
  expect(await doctor(dataDir, '--repair')).toMatchObject({
    code: 0,
    text: expect.stringContaining('run its replay again'),
  });
  expect(await doctor(dataDir)).toMatchObject({ code: 0, files: [] });
}, 60_000);

test('parts of another installation are refused and named', async () => {
  const other = join(folder.path, 'other');
  await (await startServer({ dataDir: other })).stop();
  for (const part of ['store', 'log', 'catalog']) {
    const dataDir = folder.copyWithout();
    exchange([part], other, dataDir);
    await expect(startServer({ dataDir })).rejects.toThrow(`${part}: it is that of another installation`);
    expect(await doctor(dataDir)).toMatchObject({ code: 1, files: expect.arrayContaining([part]) });
  }
}, 120_000);

test('a folder from before parts were noted is noted at its next start, and missed from then on', async () => {
  const dataDir = folder.copyWithout([
    'installation.json',
    ...['catalog', 'log', 'store', 'broker'].map((part) => `${part}/installation`),
  ]);
  await goesOn(dataDir, 6);
  expect(existsSync(join(dataDir, 'installation.json'))).toBe(true);
  rmSync(join(dataDir, 'broker'), { recursive: true });
  await expect(startServer({ dataDir })).rejects.toThrow(/broker: it is missing: sessions/);
}, 120_000);

test('the doctor does not look at what is no data folder, and leaves it as it is', async () => {
  const dataDir = join(folder.path, 'nothing');
  mkdirSync(join(dataDir, 'log'), { recursive: true });
  chmodSync(dataDir, 0o777);
  for (const flags of [[], ['--repair']]) {
    expect(await doctor(dataDir, ...flags)).toMatchObject({
      code: 2,
      text: expect.stringContaining('is no data folder'),
    });
  }
  expect(statSync(dataDir).mode & 0o777).toBe(0o777);
  expect(readdirSync(dataDir)).toEqual(['log']);
}, 60_000);
