import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isFieldlineError } from '@fieldline/kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCatalog } from '../open-catalog.ts';
import { newOrganization, removeFolder, SECRET_KEY, temporaryFolder } from '../testing.ts';
import { openPglite } from './pglite.ts';

const PROGRAM = fileURLToPath(new URL('../../test/acknowledge.ts', import.meta.url));
const RECORDER = fileURLToPath(new URL('../../test/record-fsyncs.mjs', import.meta.url));

/** Runs the program until so many sites are acknowledged, then kills it. Gives the lines that it wrote. */
async function runAndKill(dataDir: string, siteCount: number, nodeArguments: string[] = []): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, [...nodeArguments, PROGRAM, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line);
    if (line.startsWith('site ')) acknowledged += 1;
    if (acknowledged === siteCount) child.kill('SIGKILL');
  }
  await exited;
  return lines;
}

describe('the embedded database', () => {
  let folder: string;
  let dataDir: string;
  const options = () => ({ adapter: 'pglite' as const, dataDir, secretKey: SECRET_KEY });

  beforeAll(async () => {
    folder = temporaryFolder();
    dataDir = join(folder, 'catalog');
    // What an initialisation that was killed leaves behind.
    writeFileSync(`${dataDir}.new-1`, '');
    const catalog = await openCatalog(options());
    await catalog.bootstrap({ adminEmail: 'admin@fieldline.local' });
    await catalog.close();
  });
  afterAll(() => removeFolder(folder));

  it('is made beside its place, and leaves nothing else there', () => {
    expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(true);
    expect(readdirSync(folder)).toEqual(['catalog', 'catalog.copies', 'catalog.sums']);
  });

  it('keeps what was acknowledged when the process is killed', async () => {
    for (const siteCount of [1, 25]) {
      const lines = await runAndKill(dataDir, siteCount);
      const sites = lines.filter((line) => line.startsWith('site ')).map((line) => line.slice(5));
      const catalog = await openCatalog(options());
      const scoped = catalog.scoped({ organizationId: lines[0]!.slice('organization '.length), siteIds: null });
      const found = (await scoped.sites.list({ limit: 1000 })).items.map((site) => site.id);
      expect(found).toEqual(expect.arrayContaining(sites));
      await catalog.close();
    }
  });

  it('syncs the write-ahead log to disk before each acknowledgement', async () => {
    const lines = await runAndKill(dataDir, 20, ['--import', RECORDER]);
    const from = lines.findIndex((line) => line.startsWith('organization '));
    const after = lines
      .slice(from + 1)
      .map((line) => (/^fsync .*\/pg_wal\/[0-9A-F]{24}$/.test(line) ? 'wal' : line.split(' ')[0]));
    let synced = false;
    for (const line of after) {
      if (line === 'site') expect(synced).toBe(true);
      synced = line === 'wal' || (synced && line !== 'site');
    }
    expect(after.filter((line) => line === 'site').length).toBeGreaterThanOrEqual(20);
  });

  it('flushes every file once before it recovers from a kill', async () => {
    await runAndKill(dataDir, 3);
    const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const lines = await runAndKill(dataDir, 1, ['--import', RECORDER]);
    // The recovery removes these: they are made anew.
    const missed = files.filter((file) => !/pg_internal\.init$/.test(file) && !lines.includes(`fsync ${file}`));
    expect(missed).toEqual([]);
    expect(lines.length).toBeLessThan(1.5 * entries.length);
  });

  it('counts its fsyncs: at least one a commit, none for reading', async () => {
    const database = await openPglite({ dataDir });
    const write = () =>
      database.transaction('system', (queries) =>
        queries.execute('update fieldline.directory_clock set version = version + 1'),
      );
    await write();
    const before = database.fsyncCount;
    for (let i = 0; i < 10; i++) await write();
    const after = database.fsyncCount;
    expect(after - before).toBeGreaterThanOrEqual(10);
    for (let i = 0; i < 10; i++) await database.ping();
    expect(database.fsyncCount).toBe(after);
    await database.close();
  });

  it('is refused to a second opening, in this process and in another', async () => {
    const first = await openPglite({ dataDir });
    await expect(openPglite({ dataDir })).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' });
    await first.close();
    writeFileSync(`${dataDir}.lock`, String(process.ppid));
    await expect(openPglite({ dataDir })).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' });
    // A process that is gone: process ids end below this one.
    writeFileSync(`${dataDir}.lock`, String(2 ** 30));
    await (await openPglite({ dataDir })).close();
    expect(existsSync(`${dataDir}.lock`)).toBe(false);
  });

  it('refuses a schema of a newer version, and is left as it was', async () => {
    const database = await openPglite({ dataDir });
    await database.asSuperuser("insert into fieldline.schema_migrations (version, name) values (9999, 'later')");
    await database.close();
    await expect(openPglite({ dataDir })).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
    expect(existsSync(`${dataDir}.lock`)).toBe(false);
  });
});

describe('one session for all', () => {
  it('runs transactions in turn, refuses those beyond its limit, undoes what fails', async () => {
    const database = await openPglite({ dataDir: null, waitingMax: 3 });
    const order: number[] = [];
    const calls = [0, 1, 2, 3].map((i) =>
      database.transaction('system', async (queries) => {
        order.push(i);
        await queries.execute('update fieldline.directory_clock set version = version + 1');
        order.push(i);
        if (i === 1) throw new Error('no');
      }),
    );
    const results = await Promise.allSettled(calls);
    expect(order).toEqual([0, 0, 1, 1, 2, 2]);
    const codes = results.map((result) =>
      result.status === 'rejected' && isFieldlineError(result.reason) ? result.reason.code : 'done',
    );
    expect(codes).toEqual(['done', 'INTERNAL', 'done', 'OVERLOADED']);
    const [clock] = await database.asSuperuser('select version::int from fieldline.directory_clock');
    expect(clock).toEqual({ version: 2 });
    await database.close();
    await expect(database.ping()).rejects.toMatchObject({ code: 'STOPPED' });
    await database.close();
  });

  it('keeps house: flushes the log, removes dead rows, stays the ordinary role', async () => {
    const database = await openPglite({ dataDir: null });
    const count = async () => {
      const [table] = await database.asSuperuser(
        "select n_dead_tup::int as dead, vacuum_count::int as vacuums, pg_stat_force_next_flush() from pg_stat_all_tables where relname = 'scratch'",
      );
      return { dead: table!.dead, vacuums: table!.vacuums };
    };
    await database.asSuperuser('create table scratch as select generate_series(1, 1000) as n');
    await database.asSuperuser('delete from scratch');
    await count();
    expect(await count()).toEqual({ dead: 1000, vacuums: 0 });
    await database.keepHouse();
    await count();
    expect(await count()).toEqual({ dead: 0, vacuums: 1 });
    await expect(
      database.transaction('system', (queries) => queries.execute('delete from fieldline.organizations')),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await database.close();
  });

  it('says that it is away when its thread has ended, and closes all the same', async () => {
    const database = await openPglite({ dataDir: null });
    await database.endThread();
    await expect(database.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await database.close();
  });
});

it('opens with data in memory for tests of others', async () => {
  const catalog = await openCatalog({ adapter: 'pglite', dataDir: null, secretKey: SECRET_KEY });
  expect((await (await newOrganization(catalog)).organization.get()).autoRegistration).toBe(false);
  await catalog.close();
  await expect(catalog.ping()).rejects.toMatchObject({ code: 'STOPPED' });
});
