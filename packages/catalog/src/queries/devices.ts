/** The organisation's devices. A deleted device keeps its row, for its series, but is seen nowhere. */
import { isId, isKey, newId } from '@fieldline/model';
import { and, asc, count, eq, ilike, isNull, or, type SQL, sql } from 'drizzle-orm';
import type { DeviceCatalog, Scope } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import type { Device, DeviceChanges, DeviceFilter, DeviceSort } from '../rows.ts';
import { deviceStates, devices } from '../schema/index.ts';
import { newSecret, sha256 } from '../secrets.ts';
import { checkJson, checkName, checkPage, checkReference, notFound, present, refuse } from '../validate.ts';
import { checkRowVersion, containing, revised } from './update.ts';

type DeviceRow = typeof devices.$inferSelect;
type StateRow = typeof deviceStates.$inferSelect;

const TAGS_MAX = 50;
const TAG_LENGTH_MAX = 64;
const SERIAL_LENGTH_MAX = 128;

const status = sql<Device['connectivityStatus']>`coalesce(${deviceStates.connectivityStatus}, 'unknown')`;
const SORTS: Readonly<Record<DeviceSort, SQL>> = {
  name: sql`lower(${devices.name})`,
  key: sql`${devices.key}`,
  createdAt: sql`${devices.createdAt}`,
  updatedAt: sql`${devices.updatedAt}`,
  lastSeen: sql`${deviceStates.lastSeen}`,
  connectivityStatus: sql`${status}`,
};

export function deviceCatalog(database: Database, scope: Scope): DeviceCatalog {
  const changed = async (
    id: string,
    change: (queries: Queries, before: DeviceRow) => Promise<void>,
  ): Promise<Device> => {
    if (!isId(id)) return notFound('device', id);
    return database.transaction(scope, async (queries) => {
      const [before] = await queries
        .select()
        .from(devices)
        .where(visible(eq(devices.id, id)))
        .for('update');
      if (before === undefined) return notFound('device', id);
      await change(queries, before);
      return (await find(queries, eq(devices.id, id)))!;
    });
  };
  const set = async (queries: Queries, id: string, columns: Partial<DeviceRow>): Promise<void> => {
    await queries
      .update(devices)
      .set({ ...columns, ...revised(devices.version) })
      .where(eq(devices.id, id));
  };

  return {
    async create(device) {
      const id = newId();
      const token = newSecret('fld');
      const row = {
        kind: 'other' as const,
        lifecycle: 'active' as const,
        ...columnsOf(device),
        id,
        organizationId: scope.organizationId,
        name: checkName(device.name),
        key: checkKey(device.key ?? id),
        tokenSha256: sha256(token),
      };
      return database.transaction(scope, async (queries) => {
        await checkGateway(queries, row.gatewayId);
        await queries.insert(devices).values(row);
        return { device: (await find(queries, eq(devices.id, id)))!, token };
      });
    },

    get: (idOrKey) =>
      database.transaction(scope, async (queries) => {
        const byId = isId(idOrKey) ? await find(queries, eq(devices.id, idOrKey)) : null;
        return byId ?? find(queries, eq(devices.key, idOrKey));
      }),

    async list(filter = {}) {
      const { limit, offset } = checkPage(filter);
      const condition = visible(conditionOf(filter));
      const sort =
        SORTS[filter.sort ?? 'name'] ?? refuse('sort', `"${filter.sort}" is none of ${Object.keys(SORTS).join(', ')}`);
      const direction = filter.descending === true ? sql`${sort} desc nulls last` : sql`${sort} asc nulls last`;
      return database.transaction(scope, async (queries) => {
        const [all] = await queries
          .select({ total: count() })
          .from(devices)
          .leftJoin(deviceStates, eq(deviceStates.deviceId, devices.id))
          .where(condition);
        const rows = await selectDevices(queries)
          .where(condition)
          .orderBy(direction, asc(devices.id))
          .limit(limit)
          .offset(offset);
        return { items: rows.map(toDevice), total: all!.total };
      });
    },

    update: async (id, changes, options = {}) => {
      const columns = columnsOf(changes);
      return changed(id, async (queries, before) => {
        checkRowVersion(before.version, options.version, 'device');
        await checkGateway(queries, columns.gatewayId);
        await set(queries, id, columns);
      });
    },

    async rotateToken(id) {
      const token = newSecret('fld');
      const device = await changed(id, (queries) => set(queries, id, { tokenSha256: sha256(token) }));
      return { device, token };
    },

    revokeToken: (id) => changed(id, (queries) => set(queries, id, { tokenSha256: null })),

    async delete(id) {
      if (!isId(id)) return notFound('device', id);
      await database.transaction(scope, async (queries) => {
        const gone = await queries
          .update(devices)
          .set({ deletedAt: sql`now()`, lifecycle: 'decommissioned', tokenSha256: null, ...revised(devices.version) })
          .where(visible(eq(devices.id, id)))
          .returning({ id: devices.id });
        if (gone.length === 0) return notFound('device', id);
        // Devices behind it lose their gateway, else they would point at what cannot be seen.
        await queries
          .update(devices)
          .set({ gatewayId: null, ...revised(devices.version) })
          .where(eq(devices.gatewayId, id));
      });
    },

    countByConnectivity: () =>
      database.transaction(scope, async (queries) => {
        const rows = await queries
          .select({ status, devices: count() })
          .from(devices)
          .leftJoin(deviceStates, eq(deviceStates.deviceId, devices.id))
          .where(isNull(devices.deletedAt))
          .groupBy(status);
        const counts = { unknown: 0, online: 0, offline: 0 };
        for (const row of rows) counts[row.status] = row.devices;
        return counts;
      }),
  };
}

function visible(condition: SQL | undefined): SQL | undefined {
  return and(isNull(devices.deletedAt), condition);
}

function conditionOf(filter: DeviceFilter): SQL | undefined {
  const { search, kind, siteId, gatewayId, lifecycle, connectivityStatus, tag } = filter;
  checkReference(siteId, 'siteId');
  checkReference(gatewayId, 'gatewayId');
  const pattern = search === undefined || search === '' ? undefined : containing(search);
  return and(
    pattern === undefined
      ? undefined
      : or(ilike(devices.name, pattern), ilike(devices.key, pattern), ilike(devices.serialNumber, pattern)),
    kind === undefined ? undefined : eq(devices.kind, kind),
    siteId === undefined ? undefined : eq(devices.siteId, siteId),
    gatewayId === undefined ? undefined : eq(devices.gatewayId, gatewayId),
    lifecycle === undefined ? undefined : eq(devices.lifecycle, lifecycle),
    connectivityStatus === undefined ? undefined : eq(status, connectivityStatus),
    tag === undefined ? undefined : sql`${tag} = any(${devices.tags})`,
  );
}

function selectDevices(queries: Queries) {
  return queries
    .select({ device: devices, state: deviceStates })
    .from(devices)
    .leftJoin(deviceStates, eq(deviceStates.deviceId, devices.id))
    .$dynamic();
}

async function find(queries: Queries, condition: SQL): Promise<Device | null> {
  const [row] = await selectDevices(queries).where(visible(condition));
  return row === undefined ? null : toDevice(row);
}

function toDevice({ device, state }: { device: DeviceRow; state: StateRow | null }): Device {
  const { tokenSha256, deletedAt: _, ...rest } = device;
  return {
    ...rest,
    hasToken: tokenSha256 !== null,
    connectivityStatus: state?.connectivityStatus ?? 'unknown',
    connectivityChangedAt: state?.connectivityChangedAt ?? null,
    lastSeen: state?.lastSeen ?? null,
  };
}

function columnsOf(changes: DeviceChanges) {
  const { name, key, kind, siteId, lifecycle, serialNumber, attributes, tags, gatewayId } = changes;
  if (serialNumber && serialNumber.length > SERIAL_LENGTH_MAX) {
    refuse('serialNumber', `must not be longer than ${SERIAL_LENGTH_MAX} characters`);
  }
  return present({
    name: name === undefined ? undefined : checkName(name),
    key: key === undefined ? undefined : checkKey(key),
    kind,
    siteId: checkReference(siteId, 'siteId'),
    lifecycle,
    serialNumber,
    attributes: attributes === undefined ? undefined : checkJson(attributes, 'attributes'),
    tags: tags === undefined ? undefined : checkTags(tags),
    gatewayId: checkReference(gatewayId, 'gatewayId'),
  });
}

function checkKey(key: string): string {
  if (!isKey(key))
    refuse('key', `"${key}" must have 1 to 128 letters, digits, "_", "-", "." or ":", the first a letter or digit`);
  return key;
}

function checkTags(tags: readonly string[]): string[] {
  if (tags.length > TAGS_MAX) refuse('tags', `must not be more than ${TAGS_MAX}`);
  for (const tag of tags) {
    if (tag.length < 1 || tag.length > TAG_LENGTH_MAX)
      refuse('tags', `must have 1 to ${TAG_LENGTH_MAX} characters each`);
  }
  return [...new Set(tags)];
}

/** A gateway that is deleted, or that this scope does not see, is none. */
async function checkGateway(queries: Queries, gatewayId: string | null | undefined): Promise<void> {
  if (gatewayId === null || gatewayId === undefined) return;
  const [found] = await queries
    .select({ id: devices.id })
    .from(devices)
    .where(visible(eq(devices.id, gatewayId)));
  if (found === undefined) refuse('gatewayId', `names a device that there is not: ${gatewayId}`);
}
