import { mkdtemp, open, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ManualClock } from '@fieldline/kit';
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '@fieldline/model';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchOf, seriesOf, type TestRow } from '../test-batch.ts';
import { type DuckdbStore, openDuckdbStore } from './open-store.ts';
import { FORMAT_VERSION, MIGRATIONS } from './schema.ts';

const START = Date.UTC(2026, 0, 10) * 1000;
const LATER = START + 9 * MICROS_PER_DAY;
const ALL = { seriesIds: [1], from: 0, to: LATER, limit: 1e6 };

let dir: string;
let store: DuckdbStore;
let next = 0;

async function openStore(): Promise<void> {
  store = await openDuckdbStore({
    dir,
    clock: new ManualClock(0),
    sealAfterMs: 0,
    compactAfterMs: 1e15,
    rollUpAfterMs: 1e15,
  });
}

async function append(rows: readonly TestRow[]): Promise<void> {
  next += 1;
  await store.append(batchOf(rows), { topic: 't', partition: 0, epoch: 1, next });
}

async function sealedFiles(): Promise<string[]> {
  const names = await readdir(join(dir, 'sealed'), { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.endsWith('series.parquet')).sort();
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fieldline-store-'));
  next = 0;
  await openStore();
});

afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

test('every double comes back bit for bit from a sealed file', async () => {
  const edges = [
    -0,
    0,
    0.1 + 0.2,
    1e300,
    -1e300,
    5e-324,
    2 ** 53,
    2 ** 53 + 2,
    9e15,
    1e21,
    0.07,
    1.005,
    123456.789012,
    1 / 3,
  ];
  const value = fc.oneof(
    fc.constantFrom(...edges),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer().map((cents) => cents / 100),
    fc.integer().map((millionths) => millionths / 1e6),
  );
  const [lists] = fc.sample(
    fc.array(fc.array(value, { minLength: 1, maxLength: 12 }), { minLength: 300, maxLength: 300 }),
    1,
  );
  const rows = [...lists!, [...edges], edges.map((edge) => Math.round(edge % 1000) / 100)].flatMap((list, seriesId) =>
    list.map((each, index) => ({ seriesId, sourceTime: START + index * MICROS_PER_SECOND + seriesId, value: each })),
  );
  await append(rows);
  await store.maintain(LATER);
  await store.maintain(LATER);
  expect((await store.statistics()).hotRows).toBe(0);
  const found = await store.readRaw({ ...ALL, seriesIds: lists!.map((_, index) => index) });
  for (const { seriesId, value: values } of found) {
    const expected = rows.filter((row) => row.seriesId === seriesId).map((row) => row.value);
    expect(Buffer.from(values.buffer)).toEqual(Buffer.from(Float64Array.from(expected).buffer));
  }
});

test('a sealed file means something by itself, with the series table beside it', async () => {
  await store.defineSeries([seriesOf(1)]);
  await append(
    Array.from({ length: 100 }, (_, second) => ({
      sourceTime: START + second * MICROS_PER_SECOND,
      value: second / 100,
    })),
  );
  await store.maintain(LATER);
  expect(await sealedFiles()).toEqual([
    expect.stringMatching(/^org=plant-7\/day=2026-01-10\/\d+-\d+-[0-9a-f]{8}\.parquet$/),
  ]);
  const other = await (await DuckDBInstance.create()).connect();
  const rows = await other.runAndReadAll(
    `SELECT metric_key, unit, count(*)::INTEGER, max(coalesce(value, value_scaled / value_divisor)), min(epoch_us(source_time))::DOUBLE
     FROM read_parquet($1 || '/day=*/*.parquet') JOIN read_parquet($1 || '/series.parquet') USING (series_id) GROUP BY ALL`,
    [join(dir, 'sealed', 'org=plant-7')],
  );
  expect(rows.getRows()).toEqual([['temperature', 'Cel', 100, 0.99, START]]);
  other.closeSync();
});

test('a missing file is told of, and the rest stays readable', async () => {
  await append([{ sourceTime: START, value: 1 }]);
  await append([{ sourceTime: START + MICROS_PER_DAY, value: 2 }]);
  await store.maintain(LATER);
  const [first] = await sealedFiles();
  await unlink(join(dir, 'sealed', first!));
  await expect(store.readRaw(ALL)).rejects.toMatchObject({
    code: 'STORE_DAMAGED',
    message: expect.stringContaining(first!),
  });
  expect([...(await store.readRaw(ALL))[0]!.value]).toEqual([2]);
  expect((await store.statistics()).damage).toEqual([expect.stringContaining(first!)]);
  expect(store.problem()).toContain(first!);
  await store.close();
  await openStore();
  expect((await store.statistics()).damage).toEqual([expect.stringContaining('missing')]);
  expect([...(await store.readRaw(ALL))[0]!.value]).toEqual([2]);
});

test('a changed byte is found by verify(), and by background work', async () => {
  await append([{ sourceTime: START, value: 1 }]);
  await store.maintain(LATER);
  const [path] = await sealedFiles();
  const file = await open(join(dir, 'sealed', path!), 'r+');
  const original = Buffer.alloc(1);
  await file.read(original, 0, 1, 40);
  await file.write(Uint8Array.of(original[0]! ^ 0x10), 0, 1, 40);
  await store.maintain(LATER);
  expect((await store.statistics()).damage).toEqual([expect.stringContaining(path!)]);
  await file.write(original, 0, 1, 40);
  await file.close();
  expect(await store.verify()).toEqual([]);
  expect([...(await store.readRaw(ALL))[0]!.value]).toEqual([1]);
});

test('a changed byte is never answered from, whatever it would decode to', async () => {
  await append(Array.from({ length: 50 }, (_, index) => ({ sourceTime: START + index, value: index })));
  await store.maintain(LATER);
  await store.close();
  const [path] = await sealedFiles();
  const full = join(dir, 'sealed', path!);
  const whole = await readFile(full);
  for (const ask of [
    () => store.readRaw(ALL),
    () => store.readBuckets({ ...ALL, resolution: '1m' }),
    () => store.downsample({ ...ALL, points: 10 }),
  ]) {
    for (let at = 5; at < whole.length; at += Math.ceil(whole.length / 6)) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1 << (at % 8);
      await writeFile(full, changed);
      await openStore();
      await expect(ask(), `byte ${at}`).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
      await expect(ask(), `byte ${at}`).resolves.toMatchObject([{ seriesId: 1 }]);
      await writeFile(full, whole);
      expect(await store.verify()).toEqual([]);
      await store.close();
    }
  }
  await openStore();
});

test('what an interrupted seal left is removed at the start', async () => {
  await append([{ sourceTime: START, value: 1 }]);
  await store.maintain(LATER);
  const before = await sealedFiles();
  const folder = join(dir, 'sealed', before[0]!, '..');
  for (const name of ['99-99.parquet', '99-98.parquet.unfinished']) await writeFile(join(folder, name), 'half');
  await store.close();
  await openStore();
  expect(await sealedFiles()).toEqual(before);
  expect(await readdir(folder)).toHaveLength(1);
});

test('sealed files whose database was lost are left alone', async () => {
  await append([{ sourceTime: START, value: 1 }]);
  await store.maintain(LATER);
  const before = await sealedFiles();
  await store.close();
  await unlink(join(dir, 'store.duckdb'));
  for (let start = 0; start < 2; start += 1) {
    await expect(openDuckdbStore({ dir })).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
    expect(await sealedFiles()).toEqual(before);
  }
});

test('a database that is none is told of with its place', async () => {
  await store.close();
  await writeFile(join(dir, 'store.duckdb'), 'hello');
  await expect(openDuckdbStore({ dir })).rejects.toThrow(/opening the telemetry store in .* restore .* from a backup/);
});

test('a close breaks background work off, and nothing is lost by it', async () => {
  const rowsPerAppend = 50_000;
  const row = (index: number): TestRow => ({ seriesId: index % 7, sourceTime: START + index, value: index });
  for (let turn = 0; turn < 10; turn += 1) {
    await append(Array.from({ length: rowsPerAppend }, (_, index) => row(turn * rowsPerAppend + index)));
  }
  const round = store.maintain(LATER).catch((error: unknown) => error);
  // It is at work when its first file is there.
  const isSealing = async () =>
    (await readdir(join(dir, 'sealed'), { recursive: true })).some((name) => name.endsWith('.unfinished'));
  while (!(await isSealing()));
  await store.close();
  expect(await round).toMatchObject({ message: expect.stringContaining('background work') });
  await openStore();
  expect(await store.statistics()).toMatchObject({ hotRows: 10 * rowsPerAppend, sealedRows: 0, damage: [] });
  await store.maintain(LATER);
  expect(await store.statistics()).toMatchObject({ hotRows: 0, sealedRows: 10 * rowsPerAppend, damage: [] });
});

test('a table that a failed attempt has left in the way keeps nothing from being sealed', async () => {
  await store.close();
  const database = await DuckDBInstance.create(join(dir, 'store.duckdb'));
  const connection = await database.connect();
  await connection.run('CREATE TABLE hot_2 (leftover INTEGER)');
  connection.closeSync();
  database.closeSync();
  await unlink(join(dir, 'store.duckdb.blocks'));
  await openStore();
  await append([{ sourceTime: START, value: 7 }]);
  await expect(store.maintain(LATER)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await store.maintain(LATER);
  expect(await store.statistics()).toMatchObject({ hotRows: 0, sealedRows: 1 });
  expect(await store.readRaw(ALL)).toMatchObject([{ value: Float64Array.of(7) }]);
});

test('a newer format is refused', async () => {
  await store.close();
  const database = await DuckDBInstance.create(join(dir, 'store.duckdb'));
  const connection = await database.connect();
  await connection.run('UPDATE format SET version = 999');
  connection.closeSync();
  database.closeSync();
  await expect(openDuckdbStore({ dir })).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
  const again = await DuckDBInstance.create(join(dir, 'store.duckdb'));
  await (await again.connect()).run(`UPDATE format SET version = ${FORMAT_VERSION}`);
  again.closeSync();
  await openStore();
});

test('an older format is migrated with its hot rows', async () => {
  await store.close();
  await unlink(join(dir, 'store.duckdb'));
  await unlink(join(dir, 'store.duckdb.blocks'));
  const database = await DuckDBInstance.create(join(dir, 'store.duckdb'));
  const connection = await database.connect();
  await connection.run('CREATE TABLE format (version INTEGER)');
  await connection.run('INSERT INTO format VALUES (1)');
  for (const statement of MIGRATIONS[0]!) await connection.run(statement);
  await connection.run(`CREATE TABLE hot_1 (series_id INTEGER, source_time BIGINT, received_time BIGINT, value DOUBLE,
    quality UTINYINT, version BIGINT, text VARCHAR)`);
  await connection.run('INSERT INTO generations VALUES (1, 0, false)');
  await connection.run(`INSERT INTO hot_1 VALUES (1, ${START}, ${START}, 7, 192, 1, NULL)`);
  connection.closeSync();
  database.closeSync();
  await openStore();
  await append([{ sourceTime: START + MICROS_PER_SECOND, value: 8 }]);
  expect(await store.readRaw(ALL)).toMatchObject([{ value: Float64Array.of(7, 8) }]);
  await store.maintain(LATER);
  expect(await store.readRaw(ALL)).toMatchObject([{ value: Float64Array.of(7, 8) }]);
  expect(await store.statistics()).toMatchObject({ hotRows: 0, sealedRows: 2 });
});
