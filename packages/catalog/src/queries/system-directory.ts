/** System door: what broker and pipeline cache, as a whole and as changes. */
import type { DirectoryChange, DirectorySnapshot } from '@fieldline/model';
import { asc, gt, inArray, isNull } from 'drizzle-orm';
import type { Database, Queries } from '../database/database.ts';
import { devices, directoryChanges, directoryClock, organizations, series, topicMappings } from '../schema/index.ts';
import { mappingColumns } from './mappings.ts';
import { definition } from './series.ts';

/** Changes a read takes at most; the rest comes with the next one. */
const CHANGES_MAX = 5_000;

const organizationColumns = {
  id: organizations.id,
  slug: organizations.slug,
  autoRegistration: organizations.autoRegistration,
};
export const deviceColumns = {
  id: devices.id,
  organizationId: devices.organizationId,
  key: devices.key,
  name: devices.name,
  kind: devices.kind,
  siteId: devices.siteId,
  lifecycle: devices.lifecycle,
  tokenSha256: devices.tokenSha256,
  gatewayId: devices.gatewayId,
};

export function readSnapshot(database: Database): Promise<DirectorySnapshot> {
  return database.transaction('system', async (queries) => {
    // First the version: what changes while the rest is read comes again as a change, which does no harm.
    const version = await readVersion(queries);
    return {
      version,
      organizations: await queries.select(organizationColumns).from(organizations),
      devices: await queries.select(deviceColumns).from(devices).where(isNull(devices.deletedAt)),
      mappings: await queries.select(mappingColumns).from(topicMappings),
      series: await queries.select(definition).from(series),
    };
  });
}

export interface ChangesRead {
  readonly changes: DirectoryChange[];
  /** Everything up to here has been read. */
  readonly version: number;
  /** There may be more. */
  readonly full: boolean;
}

/** The changes after a version, in their order. */
export function readChanges(database: Database, afterVersion: number): Promise<ChangesRead> {
  return database.transaction('system', async (queries) => {
    const rows = await queries
      .select()
      .from(directoryChanges)
      .where(gt(directoryChanges.version, afterVersion))
      .orderBy(asc(directoryChanges.version))
      .limit(CHANGES_MAX);
    if (rows.length === 0) return { changes: [], version: afterVersion, full: false };
    const things = await readThings(queries, rows);
    const changes = rows.map((row) => things.get(`${row.kind} ${row.thingId}`)?.(row.version) ?? removal(row));
    return {
      changes: changes.filter((change) => change !== null),
      version: rows.at(-1)!.version,
      full: rows.length === CHANGES_MAX,
    };
  });
}

type ChangeRow = typeof directoryChanges.$inferSelect;
type Things = Map<string, (version: number) => DirectoryChange>;

/** Version of the newest change. */
export async function readVersion(queries: Queries): Promise<number> {
  const [row] = await queries.select({ version: directoryClock.version }).from(directoryClock);
  return row!.version;
}

/** The things that changed, as they are now. */
async function readThings(queries: Queries, rows: readonly ChangeRow[]): Promise<Things> {
  const idsOf = (kind: ChangeRow['kind']) => rows.filter((row) => row.kind === kind).map((row) => row.thingId);
  const things: Things = new Map();
  const organizationIds = idsOf('organization');
  if (organizationIds.length > 0) {
    const found = await queries
      .select(organizationColumns)
      .from(organizations)
      .where(inArray(organizations.id, organizationIds));
    for (const organization of found) {
      things.set(`organization ${organization.id}`, (version) => ({ version, kind: 'organization', organization }));
    }
  }
  const deviceIds = idsOf('device');
  if (deviceIds.length > 0) {
    const columns = { ...deviceColumns, deletedAt: devices.deletedAt };
    const found = await queries.select(columns).from(devices).where(inArray(devices.id, deviceIds));
    for (const { deletedAt, ...device } of found) {
      if (deletedAt === null) things.set(`device ${device.id}`, (version) => ({ version, kind: 'device', device }));
    }
  }
  const mappingIds = idsOf('mapping');
  if (mappingIds.length > 0) {
    const found = await queries.select(mappingColumns).from(topicMappings).where(inArray(topicMappings.id, mappingIds));
    for (const mapping of found)
      things.set(`mapping ${mapping.id}`, (version) => ({ version, kind: 'mapping', mapping }));
  }
  const seriesIds = idsOf('series').map(Number);
  if (seriesIds.length > 0) {
    const found = await queries.select(definition).from(series).where(inArray(series.id, seriesIds));
    for (const one of found) things.set(`series ${one.id}`, (version) => ({ version, kind: 'series', series: one }));
  }
  return things;
}

/** What changed and is no longer there. Organisations and series are never removed. */
function removal({ kind, thingId, version }: ChangeRow): DirectoryChange | null {
  if (kind === 'device') return { version, kind: 'device-removed', deviceId: thingId };
  if (kind === 'mapping') return { version, kind: 'mapping-removed', mappingId: thingId };
  return null;
}
