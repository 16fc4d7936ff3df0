/** Making, reading, changing and removing what is configured, through the typed client as a program would. */
import { type Client, createClient, ProblemError } from '@fieldline/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestCatalog } from './testing/memory-catalog.ts';
import { openPgliteCatalog } from './testing/pglite-catalog.ts';
import { startApi, type TestApi } from './testing/start-api.ts';

let test: TestApi;
let client: Client;
let organizationId: string;

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof ProblemError ? error.code : 'none';
}

const catalogs: [string, (() => Promise<TestCatalog>) | undefined][] = [
  ['in memory', undefined],
  ['on PGlite', openPgliteCatalog],
];

describe.each(catalogs)('%s', (_name, open) => {
  beforeAll(async () => {
    test = await startApi({}, await open?.());
    organizationId = (await test.catalog.addOrganization('plant')).id;
    const token = await test.tokenFor(organizationId, 'admin');
    client = createClient({ baseUrl: test.url, accessToken: () => token });
  });
  afterAll(async () => {
    await test.stop();
    await test.catalog.close();
  });

  describe('devices', () => {
    it('are made with a token and everything that is needed to connect', async () => {
      const { device, token, connect } = await client.devices.create({
        name: 'Press 4',
        key: 'press-4',
        kind: 'plc',
        tags: ['hall 1'],
      });
      expect(device).toMatchObject({
        organizationId,
        key: 'press-4',
        kind: 'plc',
        status: 'unknown',
        lastSeen: null,
        hasToken: true,
      });
      expect(token.length).toBeGreaterThan(20);
      expect(connect).toMatchObject({
        mqtt: { host: '127.0.0.1', port: 1883, tlsPort: null, username: device.id },
        topics: { telemetry: `v1/telemetry/${organizationId}/${device.id}` },
        http: { url: `${test.url}/api/v1/webhook/sensor-data` },
      });
      expect(await client.devices.connect('press-4')).toEqual(connect);
      expect(JSON.stringify(await client.devices.get(device.id))).not.toContain(token);
    });

    it('show the live status before the row does', async () => {
      const { device } = await client.devices.create({ name: 'Robot' });
      test.statuses.set(device.id, { status: 'online', since: 1_000_000, lastSeen: 2_000_000 });
      const expected = {
        status: 'online',
        statusSince: '1970-01-01T00:00:01.000Z',
        lastSeen: '1970-01-01T00:00:02.000Z',
      };
      expect(await client.devices.get(device.id)).toMatchObject(expected);
      expect((await client.devices.list({ search: 'robot' })).items[0]).toMatchObject(expected);
    });

    it('are listed in pages', async () => {
      for (let n = 0; n < 5; n++) await client.devices.create({ name: `page ${n}`, tags: ['paged'] });
      const first = await client.devices.list({ tag: 'paged', limit: 2 });
      expect(first).toMatchObject({ total: 5, limit: 2, offset: 0 });
      const last = await client.devices.list({ tag: 'paged', limit: 2, offset: 4 });
      expect(last.items.map(({ name }) => name)).toEqual(['page 4']);
      expect((await client.devices.list({ tag: 'paged', order: 'desc', limit: 1 })).items[0]!.name).toBe('page 4');
    });

    it('are changed where nobody else has changed them meanwhile', async () => {
      const { device } = await client.devices.create({ name: 'before' });
      const changed = await client.devices.patch(device.id, { name: 'after', version: device.version });
      expect(changed.name).toBe('after');
      expect(await codeOf(client.devices.patch(device.id, { name: 'lost', version: device.version }))).toBe('CONFLICT');
      expect((await client.devices.get(device.id)).name).toBe('after');
    });

    it('get another token, or none, and are removed', async () => {
      const { device, token } = await client.devices.create({ name: 'short-lived' });
      expect((await client.devices.rotateToken(device.id)).token).not.toBe(token);
      await client.devices.revokeToken(device.id);
      expect((await client.devices.get(device.id)).hasToken).toBe(false);
      await client.devices.delete(device.id);
      expect(await codeOf(client.devices.get(device.id))).toBe('NOT_FOUND');
    });

    it('keep their keys apart', async () => {
      await client.devices.create({ name: 'a', key: 'same' });
      expect(await codeOf(client.devices.create({ name: 'b', key: 'same' }))).toBe('CONFLICT');
      expect(await codeOf(client.devices.create({ name: 'c', key: 'no spaces' }))).toBe('BAD_REQUEST');
    });

    it('have metrics with units that can be set', async () => {
      const { device } = await client.devices.create({ name: 'measured' });
      const door = test.catalog.scoped({ organizationId, siteIds: null });
      await test.catalog.addSeries((await door.devices.get(device.id))!, 'a/b c');
      expect(await client.devices.patchMetric(device.id, 'a/b c', { unit: 'Cel', maximum: 90 })).toMatchObject({
        unit: 'Cel',
      });
      expect((await client.devices.metrics(device.id)).items[0]).toMatchObject({ metricKey: 'a/b c', maximum: 90 });
      expect(await codeOf(client.devices.patchMetric(device.id, 'other', { unit: 'Cel' }))).toBe('NOT_FOUND');
    });
  });

  describe('the rest', () => {
    it('sites', async () => {
      const site = await client.sites.create({ name: 'North', timeZone: 'Europe/Vienna' });
      expect(await client.sites.patch(site.id, { latitude: 48.2 })).toMatchObject({ name: 'North', latitude: 48.2 });
      const { device } = await client.devices.create({ name: 'there', siteId: site.id });
      expect(await codeOf(client.sites.delete(site.id))).toBe('CONFLICT');
      await client.devices.patch(device.id, { siteId: null });
      await client.sites.delete(site.id);
      expect((await client.sites.list()).total).toBe(0);
    });

    it('organization', async () => {
      expect(await client.organization.patch({ autoRegistration: true })).toMatchObject({ autoRegistration: true });
      expect(await client.organization.get()).toMatchObject({ id: organizationId, autoRegistration: true });
    });

    it('mappings: own ones before the built-in, which stay as they are', async () => {
      const all = { codec: 'json', device: '{device}', metric: '{metric}' };
      const mapping = await client.mappings.create({ name: 'own', pattern: 'plant/{device}', ...all });
      expect(await client.mappings.patch(mapping.id, { enabled: false })).toMatchObject({ enabled: false });
      const problem = await client.mappings
        .create({ name: 'bad', pattern: '{a}/{a}', ...all })
        .catch((error) => error.problem);
      expect(problem.errors[0].path).toBe('body/pattern');
      const builtIn = (await client.mappings.list()).items.find((one) => one.organizationId === null)!;
      expect(await codeOf(client.mappings.patch(builtIn.id, { enabled: false }))).toBe('FORBIDDEN');
      await client.mappings.delete(mapping.id);
      expect(await codeOf(client.mappings.get(mapping.id))).toBe('NOT_FOUND');
    });

    it('API keys act within their scopes', async () => {
      const { apiKey, key } = await client.apiKeys.create({ name: 'reader', scopes: ['devices:read'] });
      const reader = createClient({ baseUrl: test.url, apiKey: key });
      expect((await reader.devices.list()).total).toBeGreaterThan(0);
      expect(await codeOf(reader.sites.list())).toBe('FORBIDDEN');
      expect(await codeOf(reader.auth.me())).toBe('FORBIDDEN');
      expect(JSON.stringify(await client.apiKeys.list())).not.toContain(key);
      await client.apiKeys.revoke(apiKey.id);
      expect(await codeOf(reader.devices.list())).toBe('UNAUTHENTICATED');
    });

    it('users: a change of rights ends their sessions', async () => {
      const credentials = { email: 'new@example.org', password: 'long enough' };
      const user = await client.users.create({ ...credentials, name: 'New', role: 'operator' });
      expect(JSON.stringify(user)).not.toContain(credentials.password);
      const { accessToken } = await client.auth.login(credentials);
      const theirs = createClient({ baseUrl: test.url, accessToken: () => accessToken });
      expect((await theirs.auth.me()).role).toBe('operator');
      await client.users.patch(user.id, { role: 'viewer' });
      expect(await codeOf(theirs.auth.me())).toBe('UNAUTHENTICATED');
      await client.users.patch(user.id, { disabled: true });
      expect(await codeOf(client.auth.login(credentials))).toBe('UNAUTHENTICATED');
    });

    it('events', async () => {
      const event = {
        organizationId,
        subjectKind: 'device',
        subjectId: 'x',
        time: 1,
        payload: { reason: 'test' },
      } as const;
      await test.catalog.addEvents(
        { ...event, id: crypto.randomUUID(), type: 'DEVICE_CONNECTED' },
        { ...event, id: crypto.randomUUID(), time: 2, type: 'DEVICE_DISCONNECTED' },
      );
      expect((await client.events.list()).items.map(({ type }) => type)).toEqual([
        'DEVICE_DISCONNECTED',
        'DEVICE_CONNECTED',
      ]);
      expect((await client.events.list({ type: 'DEVICE_CONNECTED' })).items).toHaveLength(1);
      expect(await codeOf(client.events.list({ type: 'NONSENSE' }))).toBe('BAD_REQUEST');
    });

    it('dead letters', async () => {
      test.deadLetters.push({
        id: '0-7',
        organizationId,
        receivedTime: 0,
        deadTime: 1_000_000,
        code: 'PAYLOAD_NOT_DECODABLE',
        message: 'not JSON',
        topic: 't',
        deviceId: 'd',
        codec: 'json',
        source: 'mqtt',
        payload: new Uint8Array([0x7b, 0xff, 0x00]),
        partial: false,
        rejections: [],
        replayedAt: null,
      });
      const [listed] = (await client.deadLetters.list({ code: 'PAYLOAD_NOT_DECODABLE' })).items;
      expect(listed).toMatchObject({ id: '0-7', byteLength: 3, createdAt: '1970-01-01T00:00:01.000Z' });
      expect(listed).not.toHaveProperty('payload');
      expect((await client.deadLetters.get('0-7')).payload).toBe('e/8A');
      expect(await client.deadLetters.replay({ ids: ['0-7', '0-8'] })).toEqual({ replayed: 1, notFound: ['0-8'] });
      expect(await codeOf(client.deadLetters.get('7'))).toBe('BAD_REQUEST');
    });

    it('pipeline', async () => {
      expect(await client.pipeline.health()).toMatchObject({
        status: 'ok',
        circuitBreaker: { state: 'closed', since: null },
      });
    });
  });
});
