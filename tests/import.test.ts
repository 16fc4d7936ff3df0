/**
 * `fieldline import` as a user runs it, against the real server: a spreadsheet export of a real robot arm (separator ;, decimal
 * commas, empty cells), a dry run, bad lines, a second run, and what it says where it cannot go on.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type Finished, fieldline } from './support/command-line.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const UR3 = fileURLToPath(new URL('../packages/codecs/testcases/ur3-cobotops/input.csv', import.meta.url));
const MAP = 'Current_J0=current.j0[A],Temperature_T0=temperature.j0[Cel],cycle ,Robot_ProtectiveStop';
const DAY = { start: Date.parse('2022-10-26T00:00:00Z'), end: Date.parse('2022-10-27T00:00:00Z') };

const folder = temporaryFolder('import');
const files = temporaryFolder('import-files');
let server: RunningServer;
let api: ApiSession;
let arm: DeviceCredentials;
let apiKey: string;

beforeAll(async () => {
  server = await startServer({
    dataDir: folder.path,
    environment: { FIELDLINE_STORE_RAW_RETENTION_DAYS: '36500' },
  });
  api = await ApiSession.signIn(server.url);
  arm = await api.createDevice('arm-1', 'robot');
  apiKey = (await api.call<{ key: string }>('POST', 'api-keys', { name: 'history', scopes: ['ingest'] })).key;
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
  files.remove();
});

const load = (file: string, ...flags: string[]): Promise<Finished> =>
  fieldline(['import', file, '--url', server.url, '--device', 'arm-1', ...flags], {
    FIELDLINE_IMPORT_API_KEY: apiKey,
  });

const totals = async (): Promise<{ records: number; samples: number; deadLetters: number }> =>
  (await api.call<{ totals: { records: number; samples: number; deadLetters: number } }>('GET', 'pipeline/health'))
    .totals;

function csv(name: string, ...lines: string[]): string {
  const file = join(files.path, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

test('a dry run reads and checks everything and sends nothing', async () => {
  const { code, stdout } = await load(UR3, '--map', MAP, '--dry-run');
  expect(code).toBe(0);
  expect(stdout).toContain('6 lines, 16 samples of 4 metrics, 2022-10-26T08:17:21.847Z to 2022-10-26T08:53:11.129Z');
  expect(stdout).toContain('separator ";", decimal comma');
  expect((await totals()).records).toBe(0);
});

test('what a spreadsheet says is readable as history: decimal commas, empty cells left out, units, words', async () => {
  const { code, stdout, stderr } = await load(UR3, '--map', MAP);
  expect(code).toBe(0);
  expect(stdout).toContain('loaded');
  expect(stderr).toContain('older than 90 days');
  const currents = await eventually('the history', async () => {
    const samples = await api.samples(arm.id, 'current.j0', DAY.start, DAY.end);
    return samples.length === 4 ? samples : null;
  });
  // Two of the six lines have no current.
  expect(currents).toEqual([
    [Date.parse('2022-10-26T08:17:21.847Z'), 0.109627604],
    [Date.parse('2022-10-26T08:17:22.852Z'), 0.595605195],
    [Date.parse('2022-10-26T08:17:27.901Z'), 0.086137913],
    [Date.parse('2022-10-26T08:53:11.129Z'), 1],
  ]);
  const { metrics } = await api.call<{ metrics: Record<string, { unit: string; value: unknown }> }>(
    'GET',
    `telemetry/device/${arm.id}/latest`,
  );
  expect(metrics).toMatchObject({
    'current.j0': { unit: 'A', value: 1 },
    'temperature.j0': { unit: 'Cel', value: 27.875 },
    cycle: { value: 79 },
    Robot_ProtectiveStop: { value: 0 },
  });
});

test('the same file a second time changes nothing', async () => {
  const before = await api.samples(arm.id, 'current.j0', DAY.start, DAY.end);
  const { samples } = await totals();
  expect((await load(UR3, '--map', MAP)).code).toBe(0);
  await eventually('the second run', async () => ((await totals()).samples === samples + 16 ? true : null));
  expect(await api.samples(arm.id, 'current.j0', DAY.start, DAY.end)).toEqual(before);
});

test('lines that cannot be read are told with place and remedy; the others are loaded; the exit code says so', async () => {
  const file = csv(
    'bad.csv',
    'time;pressure;flow',
    '2024-11-01T00:00:00Z;1,5;10',
    'yesterday;2,5;11',
    '2024-11-01T00:00:02Z;much;12',
    '2024-11-01T00:00:03Z;;13',
  );
  const { code, stdout, stderr } = await load(file);
  expect(code).toBe(1);
  expect(stderr).toContain('line 3, column 1 (time): "yesterday" is no time');
  expect(stderr).toContain('line 4, column 2 (pressure): "much" is no number');
  expect(stdout).toContain('3 lines, 4 samples of 2 metrics');
  expect(stdout).toContain('2 cells or lines left out');
  const start = Date.parse('2024-11-01T00:00:00Z');
  await eventually('the good lines', async () => {
    const flow = await api.samples(arm.id, 'flow', start, start + 10_000);
    return JSON.stringify(flow.map(([, value]) => value)) === '[10,12,13]' ? true : null;
  });
  expect(await api.samples(arm.id, 'pressure', start, start + 10_000)).toEqual([[start, 1.5]]);
});

test('a column that is called like the insides of an object is told, or loaded under another name', async () => {
  const file = csv('prototype.csv', 'time,__proto__,constructor', '2024-11-02T00:00:00Z,1,2');
  const { code, stderr } = await load(file);
  expect(code).toBe(1);
  expect(stderr).toContain('metrics/__proto__ is a key that is not taken');
  expect((await load(file, '--map', '__proto__=proto,constructor')).code).toBe(0);
  const start = Date.parse('2024-11-02T00:00:00Z');
  await eventually('both', async () => {
    const found = await Promise.all(
      ['proto', 'constructor'].map((name) => api.samples(arm.id, name, start, start + 1)),
    );
    return found.every(({ length }) => length === 1) ? true : null;
  });
});

test('too many bad lines end it', async () => {
  const bad = Array.from({ length: 40 }, (_, line) => `2024-11-01T00:00:${line + 10},x`);
  const file = csv('worse.csv', 'time,a', '2024-11-01T00:00:09,1', ...bad);
  const { code, stderr } = await load(file, '--errors-max', '10');
  expect(code).toBe(1);
  expect(stderr).toContain('more than 10 cells or lines cannot be read');
});

test('raw records say that they were imported', async () => {
  // A source time in the future is refused, and a dead letter tells where its record came from.
  const file = csv('future.csv', 'time,a', `${new Date(Date.now() + 86_400_000).toISOString()},1`);
  expect((await load(file)).code).toBe(0);
  const letter = await eventually('the dead letter', async () => {
    const { items } = await api.call<{ items: { source: string; deviceId: string }[] }>('GET', 'dead-letters');
    return items[0] ?? null;
  });
  expect(letter).toMatchObject({ source: 'import', deviceId: arm.id });
});

test.each<[string, string[], string]>([
  [
    'a device that is not there',
    ['--device', 'arm-2'],
    'there is no device "arm-2" in this organization (404); create the device',
  ],
  [
    'a wrong key',
    ['--api-key', 'flk_wrong'],
    'the API key is not known, revoked or past its time (401); make a key with the scope ingest',
  ],
  ['no key', ['--api-key', ''], '--api-key is missing; make one with the scope ingest'],
  ['a column that is not there', ['--map', 'Current_J9'], 'the file has no column "Current_J9"; it has "Num"'],
  ['a limit that is no number', ['--errors-max', 'many'], 'It takes a whole number'],
])('%s: it says what to do and sends nothing', async (_, flags, sentence) => {
  const before = await totals();
  const { code, stderr, stdout } = await load(UR3, ...flags);
  expect(code).toBe(1);
  expect(stderr).toContain(sentence);
  expect(stdout).toBe('');
  expect(await totals()).toEqual(before);
});

test('a file that is not there is named', async () => {
  const { code, stderr } = await load('/no/such/file.csv');
  expect(code).toBe(1);
  expect(stderr).toContain('/no/such/file.csv');
});
