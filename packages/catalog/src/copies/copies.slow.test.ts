import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@fieldline/kit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Catalog } from '../catalog.ts';
import { openCatalog } from '../open-catalog.ts';
import { inspectCatalog } from '../pglite/inspect-catalog.ts';
import { removeFolder, SECRET_KEY, temporaryFolder } from '../testing.ts';
import { copiesOf, listCopies, readCopy, writeCopy } from './copy-file.ts';
import { newestCopy, restoreCatalog } from './restore-copy.ts';

const ADMIN = { adminEmail: 'admin@fieldline.local', adminPassword: 'a password of some length' };
const made = temporaryFolder();
let before: unknown;
let folder: string;
let dataDir: string;

beforeAll(async () => {
  dataDir = join(made, 'catalog');
  const catalog = await opened();
  before = await fill(catalog);
  await catalog.close();
}, 120_000);
afterAll(() => removeFolder(made));
beforeEach(() => {
  folder = temporaryFolder();
  dataDir = join(folder, 'catalog');
});
afterEach(() => removeFolder(folder));

/** The catalog that was made, with its copy. */
function takeMade(): void {
  for (const name of readdirSync(made)) cpSync(join(made, name), join(folder, name), { recursive: true });
}

function opened(copyAfterMs?: number): Promise<Catalog> {
  return openCatalog({
    adapter: 'pglite',
    dataDir,
    secretKey: SECRET_KEY,
    ...(copyAfterMs !== undefined && { copyAfterMs }),
  });
}

/** Makes an administrator, a device with a token, and its series. Gives what the catalog says of them. */
async function fill(catalog: Catalog): Promise<unknown> {
  const { organization } = await catalog.bootstrap(ADMIN);
  const scoped = catalog.scoped({ organizationId: organization.id, siteIds: null });
  const site = await scoped.sites.create({ name: 'Halle „1“\n', latitude: 48.137, attributes: { floors: [1, 2.5] } });
  const { device } = await scoped.devices.create({ key: 'press-4', name: 'Press 4', kind: 'machine', siteId: site.id });
  const requests = ['a', 'b'].map((metricKey) => ({
    ...{ organizationId: organization.id, subjectKind: 'device' as const, subjectId: device.id },
    ...{ metricKey, valueKind: 'number' as const },
  }));
  const { series } = await catalog.system.feed.registerSeries(requests);
  await scoped.series.update(series[0]!.id, { minimum: -1e-9, maximum: 1e300 });
  return contents(catalog);
}

async function contents(catalog: Catalog): Promise<unknown> {
  const [organization] = await catalog.system.organizations.list();
  const scoped = catalog.scoped({ organizationId: organization!.id, siteIds: null });
  const { devices, series, mappings } = await catalog.system.directory.snapshot();
  return {
    organization,
    devices,
    series,
    mappings,
    users: await scoped.users.list(),
    sites: await scoped.sites.list(),
  };
}

/** As a kill and a bad disk leave it: the state of transactions and a table are gone. */
function ruin(): void {
  writeFileSync(join(dataDir, 'global/pg_control'), Buffer.alloc(8192, 0x55));
  const table = readdirSync(join(dataDir, 'base/5')).find((name) => /^16\d+$/.test(name))!;
  truncateSync(join(dataDir, 'base/5', table), 0);
}

describe('copies of a catalog', () => {
  it('bring back what was configured when the catalog is ruined, which is moved aside', async () => {
    takeMade();
    ruin();
    const aside = join(folder, 'aside');
    const { takenAt } = await restoreCatalog(dataDir, aside);
    expect((await newestCopy(dataDir))!.takenAt).toBe(takenAt);
    expect(readdirSync(aside)).toEqual(['catalog', 'catalog.sums']);
    expect(readFileSync(join(aside, 'catalog/global/pg_control'))[0]).toBe(0x55);
    expect((await inspectCatalog(dataDir)).findings).toEqual([]);
    const restored = await opened();
    expect(await contents(restored)).toEqual(before);
    await restored.system.sessions.logIn(ADMIN.adminEmail, ADMIN.adminPassword);
    expect((await restored.bootstrap(ADMIN)).created).toBe(false);
    const { devices, series } = await restored.system.directory.snapshot();
    const request = { ...series[0]!, metricKey: 'new', subjectId: devices[0]!.id };
    const [made] = (await restored.system.feed.registerSeries([request])).series;
    expect(made!.id).toBeGreaterThan(Math.max(...series.map(({ id }) => id)));
    await restored.close();
  }, 120_000);

  it('are made soon after a change, without a stop, and not where nothing changes', async () => {
    takeMade();
    const names = async () => (await listCopies(copiesOf(dataDir))).map(({ path }) => path);
    const first = await names();
    expect(first.length).toBe(1);
    await (await opened()).close();
    expect(await names()).toEqual(first);
    const catalog = await opened(10);
    const [organization] = await catalog.system.organizations.list();
    await catalog.scoped({ organizationId: organization!.id, siteIds: null }).sites.create({ name: 'Second hall' });
    const isCopied = async () => (await newestCopy(dataDir))!.copy.rows.some((row) => row.includes('Second hall'));
    await expect.poll(isCopied, { timeout: 60_000 }).toBe(true);
    await catalog.close();
    expect((await names()).length).toBeGreaterThan(1);
  }, 120_000);

  it('of an older schema are read into that schema and brought up to date', async () => {
    takeMade();
    const { copy } = (await newestCopy(dataDir))!;
    const takenAt = new Date(systemClock.nowMs() + 1000).toISOString();
    await writeCopy(copiesOf(dataDir), { ...copy, schemaVersion: 7, takenAt });
    await restoreCatalog(dataDir, join(folder, 'aside'));
    const restored = await opened();
    expect(await contents(restored)).toEqual(before);
    await restored.close();
  }, 120_000);

  it('that are damaged are named and passed over', async () => {
    for (const day of [1, 2, 3]) {
      await writeCopy(copiesOf(dataDir), {
        takenAt: `2026-01-0${day}T00:00:00.000Z`,
        schemaVersion: 8,
        rows: ['jobs {}'],
      });
    }
    const [newest, middle, oldest] = await listCopies(copiesOf(dataDir));
    const bytes = readFileSync(newest!.path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(newest!.path, bytes);
    truncateSync(middle!.path, 30);
    expect(await newestCopy(dataDir)).toMatchObject({ takenAt: oldest!.takenAt });
    const { findings } = await inspectCatalog(dataDir);
    expect(findings.map(({ file }) => file)).toEqual([newest!.path, middle!.path]);
    truncateSync(oldest!.path, 0);
    await expect(readCopy(oldest!.path)).rejects.toMatchObject({ code: 'CATALOG_DAMAGED' });
    await expect(restoreCatalog(dataDir, folder)).rejects.toMatchObject({ code: 'CATALOG_DAMAGED' });
  });

  it('are kept: the newest three, the newest of each of 24 hours, and of each of seven days', async () => {
    const copies = copiesOf(dataDir);
    for (let minute = 0; minute < 60 * 24 * 10; minute += 40) {
      const takenAt = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
      await writeCopy(copies, { takenAt, schemaVersion: 8, rows: [] });
    }
    const kept = (await listCopies(copies)).map(({ takenAt }) => takenAt.slice(5, 16));
    const lastDay = kept.filter((time) => time.startsWith('01-10'));
    expect(new Set(lastDay.map((time) => time.slice(6, 8))).size).toBe(24);
    expect(lastDay.length).toBe(25);
    expect(kept.slice(lastDay.length)).toEqual([9, 8, 7, 6, 5, 4].map((day) => `01-0${day}T23:20`));
  });

  it('of other organisations are never deleted, however many there are of one’s own', async () => {
    const copies = copiesOf(dataDir);
    const write = async (organization: string, day: number, count: number): Promise<void> => {
      for (let minute = 0; minute < count; minute++) {
        const takenAt = new Date(Date.UTC(2026, 0, day, 0, minute)).toISOString();
        await writeCopy(copies, { takenAt, schemaVersion: 8, rows: [`organizations {"id": "${organization}"}`] });
      }
    };
    await write('first', 1, 3);
    for (let day = 2; day <= 40; day++) await write('second', day, 2);
    const listed = await listCopies(copies);
    const rows = await Promise.all(listed.map(async ({ path }) => (await readCopy(path)).rows[0]!));
    expect(rows.filter((row) => row.includes('first')).length).toBe(3);
    expect(listed.filter(({ takenAt }) => takenAt.startsWith('2026-01-02'))).toEqual([]);
  }, 20_000);

  it('keep a new catalog from being made in the place of the one that they are copies of', async () => {
    takeMade();
    rmSync(dataDir, { recursive: true });
    mkdirSync(dataDir);
    expect((await inspectCatalog(dataDir)).findings).toEqual([]);
    await expect(opened()).rejects.toMatchObject({
      code: 'CATALOG_DAMAGED',
      message: expect.stringMatching(/is missing or empty.*mount it.*doctor --repair/),
    });
    expect(readdirSync(dataDir)).toEqual([]);
  });
});
