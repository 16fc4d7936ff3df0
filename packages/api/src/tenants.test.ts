/**
 * Every route of the table, as nobody, as every role, and with the ids of another organization: who may not, gets nothing and
 * learns nothing. New routes are tested here without a line being written.
 */
import { listRoutes, PERMISSIONS, type Role, type RouteDefinition } from '@fieldline/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ORGANIZATION_WIDE, ROLE_PERMISSIONS } from './permissions.ts';
import type { TestCatalog } from './testing/memory-catalog.ts';
import { openPgliteCatalog } from './testing/pglite-catalog.ts';
import { startApi, type TestApi } from './testing/start-api.ts';

const ROLES: readonly Role[] = ['admin', 'operator', 'engineer', 'viewer'];
const guarded = listRoutes()
  .filter(({ route }) => route.permission !== null)
  .map((entry) => [`${entry.group}.${entry.name}`, entry.route] as const);

let test: TestApi;
let ours: Plant;
let theirs: Plant;

interface Plant {
  readonly organizationId: string;
  readonly ids: Readonly<Record<string, string>>;
  readonly tokens: Readonly<Record<Role | 'limited', string>>;
  readonly ingestKey: string;
  /** Words that nobody else may ever read. */
  readonly secret: string;
}

async function addPlant(slug: string): Promise<Plant> {
  const organization = await test.catalog.addOrganization(slug);
  const organizationId = organization.id;
  const secret = `secret-of-${slug}`;
  const door = test.catalog.scoped({ organizationId, siteIds: null });
  const site = await door.sites.create({ name: `site ${secret}` });
  const otherSite = await door.sites.create({ name: `other site ${secret}` });
  const { device } = await door.devices.create({ name: `device ${secret}`, siteId: site.id });
  const series = await test.catalog.addSeries(device, 'temperature');
  test.store.put(series.id, [[test.clock.nowMicros() - 1_000_000, 42]]);
  const mapping = await door.mappings.create({
    name: secret,
    pattern: `${slug}/{device}`,
    codec: 'json',
    device: '{device}',
    metric: '{metric}',
  });
  const { apiKey } = await door.apiKeys.create({ name: secret, scopes: ['telemetry:read'] });
  const { key: ingestKey } = await door.apiKeys.create({ name: secret, scopes: ['ingest'] });
  const user = await test.catalog.addUser(organizationId, 'viewer');
  const deadLetterId = `0-${test.deadLetters.length}`;
  test.deadLetters.push({
    id: deadLetterId,
    organizationId,
    receivedTime: test.clock.nowMicros(),
    deadTime: test.clock.nowMicros(),
    code: 'PAYLOAD_EMPTY',
    message: secret,
    topic: 't',
    deviceId: device.id,
    codec: 'json',
    source: 'mqtt',
    payload: new TextEncoder().encode(secret),
    partial: false,
    rejections: [],
    replayedAt: null,
  });
  const receipt = await test.call('POST', '/api/v1/webhook/sensor-data', {
    apiKey: ingestKey,
    body: { deviceId: device.id, metrics: { a: 1 } },
  });
  const job = await door.jobs.create({
    kind: 'telemetry-replay',
    parameters: { deviceIds: [secret], from: 0, to: 1, speed: null, target: 'sandbox' },
  });
  const tokens: Partial<Record<Role | 'limited', string>> = {};
  for (const role of ROLES) tokens[role] = await test.tokenFor(organizationId, role);
  tokens.limited = await test.tokenFor(organizationId, 'admin', [otherSite.id]);
  return {
    organizationId,
    secret,
    ingestKey,
    tokens: tokens as Plant['tokens'],
    ids: {
      deviceId: device.id,
      siteId: site.id,
      mappingId: mapping.id,
      apiKeyId: apiKey.id,
      userId: user.id,
      deadLetterId,
      jobId: job.id,
      metricKey: 'temperature',
      receiptId: receipt.body.receiptId,
    },
  };
}

/** The path with ids of this plant, and the least body that the schema takes. */
function ask(route: RouteDefinition, plant: Plant): { path: string; body?: unknown } {
  const path = route.path.replace(/:([A-Za-z]+)/g, (_, name: string) => {
    const id = plant.ids[name];
    if (id === undefined) throw new Error(`no id for :${name} of ${route.path}; add one to addPlant()`);
    return encodeURIComponent(id);
  });
  return route.body === undefined ? { path } : { path, body: leastBody(route, plant) };
}

function leastBody({ path, method }: RouteDefinition, plant: Plant): unknown {
  const { deviceId } = plant.ids;
  if (path.endsWith('/telemetry/query')) {
    return { startTime: '2026-05-01', endTime: '2026-05-02', series: [{ deviceId, metricKey: 'temperature' }] };
  }
  if (path.endsWith('/dead-letters/replay')) return { ids: [plant.ids.deadLetterId] };
  if (path.endsWith('/telemetry/replay')) return { devices: [deviceId], startTime: '2026-05-01', target: 'sandbox' };
  if (path.endsWith('/webhook/sensor-data')) return { deviceId, metrics: { a: 1 } };
  if (path.endsWith('/auth/password')) return { currentPassword: 'x', newPassword: 'xxxxxxxx' };
  if (method === 'PATCH') return path.includes('/metrics/') ? { unit: 'Cel' } : { name: 'changed' };
  if (path.endsWith('/api-keys')) return { name: 'n', scopes: ['ingest'] };
  if (path.endsWith('/users')) return { email: 'n@example.org', name: 'n', role: 'viewer', password: 'long enough' };
  if (path.endsWith('/mappings')) {
    return { name: 'n', pattern: 'n/{device}', codec: 'json', device: '{device}', metric: '{metric}' };
  }
  return { name: 'n' };
}

const catalogs: [string, (() => Promise<TestCatalog>) | undefined][] = [
  ['in memory', undefined],
  ['on PGlite', openPgliteCatalog],
];

describe.each(catalogs)('%s', (_name, open) => {
  beforeAll(async () => {
    test = await startApi({}, await open?.());
    ours = await addPlant('ours');
    theirs = await addPlant('theirs');
  });
  afterAll(async () => {
    await test.stop();
    await test.catalog.close();
  });

  describe('without credentials', () => {
    it.each(guarded)('%s answers 401', async (_, route) => {
      const { path, body } = ask(route, ours);
      for (const credentials of [{}, { token: 'x.y.z' }, { apiKey: 'flk_unknown_key' }]) {
        const answer = await test.call(route.method, path, { body, ...credentials });
        expect(answer.status).toBe(401);
        expect(JSON.stringify(answer.body)).not.toContain(ours.secret);
      }
      test.clock.advanceMs(10_000);
    });
  });

  describe('with a role that does not have the permission', () => {
    const cases = guarded.flatMap(([name, route]) =>
      ROLES.filter((role) => !ROLE_PERMISSIONS[role].has(route.permission!)).map(
        (role) => [name, role, route] as const,
      ),
    );
    it.each(cases)('%s as %s answers 403', async (_, role, route) => {
      const answer = await test.call(route.method, ask(route, ours).path, {
        body: ask(route, ours).body,
        token: ours.tokens[role],
      });
      expect(answer.status).toBe(403);
    });

    it.each(guarded.filter(([, route]) => ORGANIZATION_WIDE.has(route.permission!)))(
      '%s as an administrator of one site answers 403',
      async (_, route) => {
        const { path, body } = ask(route, ours);
        expect((await test.call(route.method, path, { body, token: ours.tokens.limited })).status).toBe(403);
      },
    );

    it.each(guarded.filter(([, route]) => route.permission !== 'ingest'))(
      '%s with an ingest key answers 403',
      async (_, route) => {
        const { path, body } = ask(route, ours);
        expect((await test.call(route.method, path, { body, apiKey: ours.ingestKey })).status).toBe(403);
      },
    );
  });

  describe("with another organization's ids", () => {
    const withIds = guarded.filter(([, route]) => route.path.includes(':') || route.path.endsWith('/telemetry/query'));
    it.each(withIds)('%s answers 404 and tells nothing', async (_, route) => {
      const { path, body } = ask(route, theirs);
      const credentials = route.permission === 'ingest' ? { apiKey: ours.ingestKey } : { token: ours.tokens.admin };
      const answer = await test.call(route.method, path, { body, ...credentials });
      expect(answer.status).toBe(404);
      expect(JSON.stringify(answer.body)).not.toContain(theirs.secret);
    });

    const deviceRoutes = withIds.filter(([, route]) => /:deviceId|telemetry\/query/.test(route.path));
    it.each(deviceRoutes)('%s as somebody limited to another site answers 404', async (_, route) => {
      const { path, body } = ask(route, ours);
      const answer = await test.call(route.method, path, { body, token: ours.tokens.limited });
      expect(answer.status).toBe(404);
      expect(JSON.stringify(answer.body)).not.toContain(ours.secret);
    });

    const lists = guarded.filter(([, route]) => route.method === 'GET' && !route.path.includes(':'));
    it.each(lists)('%s shows only the own', async (_, route) => {
      const answer = await test.call('GET', route.path, { token: ours.tokens.admin });
      expect(answer.status).toBe(200);
      expect(JSON.stringify(answer.body)).not.toContain(theirs.secret);
    });

    it('replays nothing of theirs', async () => {
      const ids = [theirs.ids.deadLetterId];
      const answer = await test.call('POST', '/api/v1/dead-letters/replay', {
        token: ours.tokens.admin,
        body: { ids },
      });
      expect(answer.body).toEqual({ replayed: 0, notFound: ids });
    });

    it('puts a device at no site of theirs', async () => {
      const body = { name: 'n', siteId: theirs.ids.siteId };
      const answer = await test.call('POST', '/api/v1/devices', { token: ours.tokens.admin, body });
      expect(answer.status).toBe(400);
    });

    it('leaves everything of theirs as it was', async () => {
      const { body } = await test.call('GET', `/api/v1/devices/${theirs.ids.deviceId}`, {
        token: theirs.tokens.viewer,
      });
      expect(body.name).toBe(`device ${theirs.secret}`);
    });
  });

  describe('permissions', () => {
    it.each(PERMISSIONS)('%s is asked for by a route', (permission) => {
      expect(guarded.some(([, route]) => route.permission === permission)).toBe(true);
    });
  });

  describe('with the permission', () => {
    it.each(guarded.filter(([, { permission }]) => permission !== 'ingest'))('%s is open to somebody', (_, route) => {
      expect(ROLES.some((role) => ROLE_PERMISSIONS[role].has(route.permission!))).toBe(true);
    });
  });
});
