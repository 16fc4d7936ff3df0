/**
 * The catalog's contract (catalog.ts) as tests that every database must pass. Each test makes organisations of its own, so
 * they share one database.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { ManualClock } from '@fieldline/kit';
import {
  BUILT_IN_MAPPINGS,
  DirectoryCache,
  type DirectoryChange,
  type DomainEvent,
  newId,
  type SeriesRequest,
} from '@fieldline/model';
import { getTableColumns, getTableName, is, sql } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalog, Scope, ScopedCatalog } from './catalog.ts';
import { joinCatalog } from './open-catalog.ts';
import * as schema from './schema/index.ts';
import { newOrganization, refused, SECRET_KEY, type TestDatabase, until } from './testing.ts';

export function catalogConformance(name: string, open: () => Promise<TestDatabase>): void {
  describe(`catalog on ${name}`, () => {
    let test: TestDatabase;
    let catalog: Catalog;
    beforeAll(async () => {
      test = await open();
      catalog = test.catalog;
    });
    afterAll(() => test.close());

    const one = (): Promise<ScopedCatalog> => newOrganization(catalog);
    const deviceOf = async (scoped: ScopedCatalog, key = newId()) =>
      (await scoped.devices.create({ name: key, key })).device;
    const requestsFor = (scope: Scope, subjectId: string, count: number, prefix = 'm'): SeriesRequest[] =>
      Array.from({ length: count }, (_, i) => ({
        organizationId: scope.organizationId,
        subjectKind: 'device',
        subjectId,
        metricKey: `${prefix}${i}`,
        valueKind: 'number',
      }));

    describe('first start', () => {
      it('makes an organisation and an administrator once', async () => {
        const first = await catalog.bootstrap({ adminEmail: 'Admin@Fieldline.local' });
        expect(first.created).toBe(true);
        expect(first.organization.slug).toBe('default');
        const user = await catalog.system.sessions.logIn('admin@fieldline.LOCAL', first.generatedPassword!);
        expect(user).toMatchObject({ role: 'admin', email: 'admin@fieldline.local', siteIds: null });
        const second = await catalog.bootstrap({
          adminEmail: 'other@fieldline.local',
          adminPassword: 'something else',
        });
        expect(second).toEqual({ organization: first.organization, created: false, generatedPassword: null });
        expect(await catalog.system.sessions.logIn('other@fieldline.local', 'something else')).toBeNull();
      });

      it('has the built-in mappings', async () => {
        const { mappings } = await catalog.system.directory.snapshot();
        expect(mappings).toEqual(expect.arrayContaining([...BUILT_IN_MAPPINGS]));
      });
    });

    describe('organisation, sites, settings', () => {
      it('changes the organisation', async () => {
        const scoped = await one();
        const before = await scoped.organization.get();
        const after = await scoped.organization.update({ name: 'Renamed', autoRegistration: true }, { version: 1 });
        expect(after).toMatchObject({ name: 'Renamed', autoRegistration: true, slug: before.slug, version: 2 });
        await refused('CONFLICT', () => scoped.organization.update({ name: 'Again' }, { version: 1 }));
        await refused('BAD_REQUEST', () => scoped.organization.update({ slug: 'Not a slug' }), 'slug');
        const other = await (await one()).organization.get();
        await refused('CONFLICT', () => scoped.organization.update({ slug: other.slug }), 'slug');
      });

      it('keeps sites', async () => {
        const scoped = await one();
        const site = await scoped.sites.create({
          name: ' Plant 1 ',
          timeZone: 'Europe/Berlin',
          attributes: { a: [1] },
        });
        expect(site).toMatchObject({ name: 'Plant 1', timeZone: 'Europe/Berlin', attributes: { a: [1] }, version: 1 });
        expect(Math.abs(site.createdAt / 1000 - Date.now())).toBeLessThan(60_000);
        expect(Number.isInteger(site.createdAt)).toBe(true);
        expect(await scoped.sites.get(site.id)).toEqual(site);
        const changed = await scoped.sites.update(site.id, { latitude: 52.5, longitude: 13.4 });
        expect(changed).toMatchObject({ latitude: 52.5, longitude: 13.4, name: 'Plant 1', version: 2 });
        expect(await scoped.sites.list()).toEqual({ items: [changed], total: 1 });
        await refused('CONFLICT', () => scoped.sites.create({ name: 'Plant 1' }), 'name');
        await refused('BAD_REQUEST', () => scoped.sites.create({ name: 'x', timeZone: 'Moon/Base' }), 'timeZone');
        await refused('BAD_REQUEST', () => scoped.sites.create({ name: 'y', latitude: 91 }));
        await refused('BAD_REQUEST', () => scoped.sites.create({ name: 'nul \0 byte' }));
        const device = await scoped.devices.create({ name: 'd', siteId: site.id });
        await refused('CONFLICT', () => scoped.sites.delete(site.id));
        await scoped.devices.update(device.device.id, { siteId: null });
        await scoped.sites.delete(site.id);
        expect(await scoped.sites.get(site.id)).toBeNull();
        await refused('NOT_FOUND', () => scoped.sites.delete(site.id));
        expect(await scoped.sites.get('nonsense')).toBeNull();
      });

      it('keeps settings of any JSON shape', async () => {
        const { settings } = await one();
        for (const value of [1, 'text', null, false, [1, 'b', { c: null }], { deep: { er: [] } }]) {
          await settings.set('some.key', value);
          expect(await settings.get('some.key')).toEqual(value);
        }
        expect((await settings.list()).map((setting) => setting.key)).toEqual(['some.key']);
        await settings.delete('some.key');
        expect(await settings.get('some.key')).toBeUndefined();
      });
    });

    describe('users', () => {
      const ann = () => ({
        email: `Ann-${newId()}@Example.com`,
        name: 'Ann',
        role: 'admin' as const,
        password: 'correct horse',
      });

      it('creates, lists, changes and deletes', async () => {
        const { users } = await one();
        const user = await users.create(ann());
        expect(user.email).toBe(user.email.toLowerCase());
        expect(JSON.stringify(user)).not.toContain('argon2');
        expect(await users.get(user.id)).toEqual(user);
        await refused('CONFLICT', () => users.create({ ...ann(), email: user.email.toUpperCase() }), 'email');
        await refused('BAD_REQUEST', () => users.create({ ...ann(), password: 'short' }), 'password');
        await refused('BAD_REQUEST', () => users.create({ ...ann(), siteIds: [newId()] }), 'siteIds');
        await refused('CONFLICT', () => users.delete(user.id));
        await refused('CONFLICT', () => users.update(user.id, { role: 'viewer' }));
        await refused('CONFLICT', () => users.update(user.id, { disabled: true }));
        const second = await users.create(ann());
        expect((await users.list({ limit: 1, offset: 1 })).total).toBe(2);
        await users.delete(user.id);
        expect((await users.list()).items).toEqual([second]);
      });

      it('logs in with the right password alone', async () => {
        const { users } = await one();
        await users.create(ann());
        const user = await users.create({ ...ann(), role: 'viewer' });
        const { logIn } = catalog.system.sessions;
        expect(await logIn(user.email, 'correct horsf')).toBeNull();
        expect(await logIn(`x${user.email}`, 'correct horse')).toBeNull();
        expect(await logIn(user.email, 'correct horse')).toMatchObject({ id: user.id });
        expect((await users.get(user.id))!.lastLoginAt).toBeGreaterThan(0);
        await users.update(user.id, { password: 'battery staple' });
        expect(await logIn(user.email, 'correct horse')).toBeNull();
        expect(await logIn(user.email, 'battery staple')).not.toBeNull();
        await users.update(user.id, { disabled: true });
        expect(await logIn(user.email, 'battery staple')).toBeNull();
        expect(await catalog.system.sessions.user(user.id)).toBeNull();
      });
    });

    describe('sessions', () => {
      const userOf = async (role: 'admin' | 'viewer' = 'viewer') => {
        const scoped = await one();
        const user = await scoped.users.create({ email: `${newId()}@x.org`, name: 'U', role, password: null });
        return { scoped, user };
      };

      it('rotates a refresh token once, and ends the family of one that comes twice', async () => {
        const { user } = await userOf();
        const { sessions } = catalog.system;
        const told: unknown[] = [];
        const forget = sessions.onRevoked((revoked) => told.push(revoked));
        const first = await sessions.startFamily(user.id, { userAgent: 'test' });
        const second = await sessions.rotate(first.token);
        if (second.outcome !== 'rotated') throw new Error(second.outcome);
        expect(second.refreshToken.familyId).toBe(first.familyId);
        expect(second.user).toEqual(user);
        expect(await sessions.rotate('flr_nonsense')).toEqual({ outcome: 'unknown', userId: null });
        const claims = { userId: user.id, tokenVersion: user.tokenVersion, familyId: first.familyId };
        expect(sessions.isRevoked(claims)).toBe(false);
        expect(await sessions.rotate(first.token)).toEqual({ outcome: 'replayed', userId: user.id });
        await until('the revocation', () => sessions.isRevoked(claims));
        expect(told).toEqual([{ userId: user.id, familyId: first.familyId }]);
        expect((await sessions.rotate(second.refreshToken.token)).outcome).toBe('revoked');
        const other = await sessions.startFamily(user.id);
        expect(sessions.isRevoked({ ...claims, familyId: other.familyId })).toBe(false);
        forget();
      });

      it('gives one of two who come with the same token at once the next one', async () => {
        const { user } = await userOf();
        const { token } = await catalog.system.sessions.startFamily(user.id);
        const both = await Promise.all([catalog.system.sessions.rotate(token), catalog.system.sessions.rotate(token)]);
        expect(both.map((rotation) => rotation.outcome).sort()).toEqual(['replayed', 'rotated']);
      });

      it('ends sessions on log-out, on changes of the user and on request; a restart remembers', async () => {
        const { scoped, user } = await userOf();
        const { sessions } = catalog.system;
        const claimsOf = (familyId: string, tokenVersion = user.tokenVersion) => ({
          userId: user.id,
          familyId,
          tokenVersion,
        });
        const first = await sessions.startFamily(user.id);
        await sessions.endFamily(first.token);
        await until('the log-out', () => sessions.isRevoked(claimsOf(first.familyId)));
        expect((await sessions.rotate(first.token)).outcome).toBe('revoked');

        const second = await sessions.startFamily(user.id);
        const changed = await scoped.users.update(user.id, { role: 'operator' });
        expect(changed.tokenVersion).toBe(user.tokenVersion + 1);
        await until('the change', () => sessions.isRevoked(claimsOf(second.familyId)));
        expect((await sessions.rotate(second.token)).outcome).toBe('revoked');

        const third = await sessions.startFamily(user.id);
        expect(sessions.isRevoked(claimsOf(third.familyId, changed.tokenVersion))).toBe(false);
        await sessions.endAll(user.id);
        await until('the end of all', () => sessions.isRevoked(claimsOf(third.familyId, changed.tokenVersion)));

        const again = await joinCatalog(withoutNotifications(test), { secretKey: SECRET_KEY });
        expect(again.system.sessions.isRevoked(claimsOf(first.familyId, 99))).toBe(true);
        expect(again.system.sessions.isRevoked(claimsOf(newId(), changed.tokenVersion))).toBe(true);
        expect(again.system.sessions.isRevoked(claimsOf(newId(), changed.tokenVersion + 1))).toBe(false);
      });

      it('lets refresh tokens run out after 7 days', async () => {
        const { user } = await userOf();
        const clock = new ManualClock(Date.now());
        const { sessions } = (await joinCatalog(withoutNotifications(test), { secretKey: SECRET_KEY, clock })).system;
        const { token, expiresAt } = await sessions.startFamily(user.id);
        expect(expiresAt).toBe(clock.nowMicros() + 7 * 86_400_000_000);
        clock.advanceMs(7 * 86_400_000);
        expect(await sessions.rotate(token)).toEqual({ outcome: 'expired', userId: user.id });
      });

      it('has one signing key, which only the right secret opens', async () => {
        const { sessions } = catalog.system;
        const [key, same] = await Promise.all([sessions.signingKey(), sessions.signingKey()]);
        expect(key).toEqual(same);
        const publicKey = (await sessions.verificationKeys()).get(key.kid)!;
        const signature = sign('RSA-SHA256', Buffer.from('x'), createPrivateKey(key.privateKeyPem));
        expect(verify('RSA-SHA256', Buffer.from('x'), createPublicKey(publicKey), signature)).toBe(true);
        const stored = await test.superuser('select private_key_sealed from fieldline.signing_keys');
        expect(JSON.stringify(stored)).not.toContain('PRIVATE KEY');
        const wrong = await joinCatalog(withoutNotifications(test), { secretKey: new Uint8Array(32) });
        await refused('CONFIG_INVALID', () => wrong.system.sessions.signingKey());
      });

      it('knows API keys until they are revoked or run out', async () => {
        const { scoped } = await userOf();
        const { authenticateApiKey } = catalog.system.sessions;
        const { apiKey, key } = await scoped.apiKeys.create({ name: 'ingest', scopes: ['ingest:write'] });
        expect(key).toContain(apiKey.prefix);
        expect(await authenticateApiKey(key)).toMatchObject({ id: apiKey.id, scopes: ['ingest:write'] });
        expect((await scoped.apiKeys.get(apiKey.id))!.lastUsedAt).toBeGreaterThan(0);
        expect(await authenticateApiKey(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`)).toBeNull();
        expect(await authenticateApiKey('nonsense')).toBeNull();
        await scoped.apiKeys.revoke(apiKey.id);
        await until('the revocation', async () => (await authenticateApiKey(key)) === null);
        expect((await scoped.apiKeys.list()).items).toMatchObject([{ id: apiKey.id, prefix: apiKey.prefix }]);
        const old = await scoped.apiKeys.create({ name: 'old', scopes: ['a'], expiresAt: 1 });
        expect(await authenticateApiKey(old.key)).toBeNull();
      });
    });

    describe('devices', () => {
      it('creates, finds, changes and deletes', async () => {
        const { devices } = await one();
        const { device, token } = await devices.create({
          name: 'Press',
          key: 'press-4',
          kind: 'plc',
          tags: ['a', 'b', 'a'],
        });
        expect(device).toMatchObject({
          ...{ key: 'press-4', kind: 'plc', lifecycle: 'active', tags: ['a', 'b'], hasToken: true, version: 1 },
          ...{ connectivityStatus: 'unknown', lastSeen: null },
        });
        expect(token.length).toBeGreaterThan(40);
        expect(await devices.get(device.id)).toEqual(device);
        expect(await devices.get('press-4')).toEqual(device);
        await refused('CONFLICT', () => devices.create({ name: 'x', key: 'press-4' }), 'key');
        await refused('BAD_REQUEST', () => devices.create({ name: 'x', key: 'a/b' }), 'key');
        await refused('BAD_REQUEST', () => devices.create({ name: 'x', siteId: newId() }), 'siteId');
        await refused('BAD_REQUEST', () => devices.create({ name: 'x', gatewayId: newId() }), 'gatewayId');
        await refused('BAD_REQUEST', () => devices.update(device.id, { gatewayId: device.id }), 'gatewayId');
        const changed = await devices.update(device.id, { name: 'Press 4', attributes: { tons: 400 } }, { version: 1 });
        expect(changed).toMatchObject({ name: 'Press 4', attributes: { tons: 400 }, key: 'press-4', version: 2 });
        await refused('CONFLICT', () => devices.update(device.id, { name: 'x' }, { version: 1 }));
        const behind = (await devices.create({ name: 'behind', gatewayId: device.id })).device;
        await devices.delete(device.id);
        expect(await devices.get(device.id)).toBeNull();
        expect(await devices.get('press-4')).toBeNull();
        expect((await devices.get(behind.id))!.gatewayId).toBeNull();
        await refused('NOT_FOUND', () => devices.delete(device.id));
        await refused('NOT_FOUND', () => devices.update(device.id, { name: 'x' }));
        const next = await devices.create({ name: 'Press', key: 'press-4' });
        expect(next.device.id).not.toBe(device.id);
      });

      it('filters, sorts and pages', async () => {
        const scoped = await one();
        const { devices } = scoped;
        const site = await scoped.sites.create({ name: 'S' });
        for (const [i, name] of ['alpha', 'Beta', 'gamma', '100%', 'under_score'].entries()) {
          await devices.create({
            name,
            key: `k${i}`,
            kind: i < 2 ? 'robot' : 'plc',
            siteId: i === 0 ? site.id : null,
            serialNumber: `SN-${i}`,
            tags: [`t${i}`],
          });
        }
        const names = async (filter: Parameters<typeof devices.list>[0]) =>
          (await devices.list(filter)).items.map((device) => device.name);
        expect(await names({})).toEqual(['100%', 'alpha', 'Beta', 'gamma', 'under_score']);
        expect(await names({ search: 'BET' })).toEqual(['Beta']);
        expect(await names({ search: 'sn-2' })).toEqual(['gamma']);
        expect(await names({ search: '%' })).toEqual(['100%']);
        expect(await names({ search: '_' })).toEqual(['under_score']);
        expect(await names({ kind: 'robot', sort: 'key', descending: true })).toEqual(['Beta', 'alpha']);
        expect(await names({ siteId: site.id })).toEqual(['alpha']);
        expect(await names({ tag: 't3' })).toEqual(['100%']);
        expect(await devices.list({ limit: 2, offset: 4 })).toMatchObject({
          total: 5,
          items: [{ name: 'under_score' }],
        });
        await refused('BAD_REQUEST', () => devices.list({ limit: 0 }), 'limit');
        await refused('BAD_REQUEST', () => devices.list({ sort: 'id; drop table' as never }), 'sort');
      });

      it('replaces and takes tokens', async () => {
        const { devices } = await one();
        const created = await devices.create({ name: 'd' });
        const hash = async () =>
          (await catalog.system.directory.snapshot()).devices.find((d) => d.id === created.device.id)!.tokenSha256;
        const before = await hash();
        const rotated = await devices.rotateToken(created.device.id);
        expect(rotated.token).not.toBe(created.token);
        expect(await hash()).not.toBe(before);
        expect(await devices.revokeToken(created.device.id)).toMatchObject({ hasToken: false });
        expect(await hash()).toBeNull();
      });

      it('takes connectivity and last seen in bulk; older news changes nothing', async () => {
        const scoped = await one();
        const [a, b] = [await deviceOf(scoped), await deviceOf(scoped)];
        const { organizationId } = scoped.scope;
        const { feed } = catalog.system;
        const news = (deviceId: string, status: 'online' | 'offline', time: number) => ({
          organizationId,
          deviceId,
          status,
          time,
        });
        await feed.setConnectivity([news(a.id, 'offline', 5), news(a.id, 'online', 10), news(b.id, 'online', 20)]);
        await feed.setConnectivity([news(a.id, 'offline', 9), news(newId(), 'online', 1)]);
        expect(await scoped.devices.get(a.id)).toMatchObject({
          connectivityStatus: 'online',
          connectivityChangedAt: 10,
          lastSeen: 10,
        });
        await feed.touchLastSeen([
          { organizationId, deviceId: a.id, time: 30 },
          { organizationId, deviceId: a.id, time: 15 },
        ]);
        expect(await scoped.devices.get(a.id)).toMatchObject({ connectivityStatus: 'online', lastSeen: 30 });
        expect(await scoped.devices.countByConnectivity()).toEqual({ unknown: 0, online: 2, offline: 0 });
        const other = await one();
        await feed.setConnectivity([{ ...news(a.id, 'offline', 99), organizationId: other.scope.organizationId }]);
        expect(await scoped.devices.get(a.id)).toMatchObject({ connectivityStatus: 'online' });
        const gone = await feed.markOffline(50, [b.id]);
        expect(gone).toEqual([{ organizationId, deviceId: a.id }]);
        expect((await scoped.devices.list({ connectivityStatus: 'offline' })).items.map((d) => d.id)).toEqual([a.id]);
      });

      it('registers a device once', async () => {
        const scoped = await one();
        const { organizationId } = scoped.scope;
        const wanted = { organizationId, key: 'new-one', kind: 'sensor' as const };
        const both = await Promise.all([1, 2].map(() => catalog.system.feed.registerDevice(wanted)));
        expect(both.map((answer) => answer.created).sort()).toEqual([false, true]);
        expect(both[0]!.device).toEqual(both[1]!.device);
        expect(await scoped.devices.get('new-one')).toMatchObject({ id: both[0]!.device.id, hasToken: false });
      });
    });

    describe('series', () => {
      it('registers 10,000 in seconds, each once, in the order of the requests', async () => {
        const scoped = await one();
        const device = await deviceOf(scoped);
        const requests = requestsFor(scoped.scope, device.id, 10_000).reverse();
        const startedMs = performance.now();
        const first = await catalog.system.feed.registerSeries(requests);
        // About one second alone; one by one it would take minutes.
        expect(performance.now() - startedMs).toBeLessThan(10_000);
        expect(first.refused).toEqual([]);
        expect(first.series.map((one) => one!.metricKey)).toEqual(requests.map((request) => request.metricKey));
        expect(new Set(first.series.map((one) => one!.id)).size).toBe(10_000);
        const again = await catalog.system.feed.registerSeries(requests);
        expect(again).toEqual(first);
        const twice = await catalog.system.feed.registerSeries([requests[5]!, requests[5]!]);
        expect(twice.series).toEqual([first.series[5], first.series[5]]);
      });

      it('keeps the limit per device, and refuses what is not the organisation’s', async () => {
        const scoped = await one();
        const device = await deviceOf(scoped);
        const limited = await joinCatalog(withoutNotifications(test), {
          secretKey: SECRET_KEY,
          seriesPerSubjectMax: 3,
        });
        const { registerSeries } = limited.system.feed;
        const answer = await registerSeries(requestsFor(scoped.scope, device.id, 5));
        expect(answer.series.map((one) => one?.metricKey ?? null)).toEqual(['m0', 'm1', 'm2', null, null]);
        expect(answer.refused).toEqual([
          { index: 3, code: 'SERIES_LIMIT' },
          { index: 4, code: 'SERIES_LIMIT' },
        ]);
        const other = await one();
        const foreign = await registerSeries([
          ...requestsFor(other.scope, device.id, 1),
          ...requestsFor(scoped.scope, newId(), 1),
        ]);
        expect(foreign.series).toEqual([null, null]);
        expect(foreign.refused.map((refusal) => refusal.code)).toEqual(['DEVICE_UNKNOWN', 'DEVICE_UNKNOWN']);
      });

      it('takes in series that a store knows, once, and gives no number up to the highest again', async () => {
        const { restoreSeries, registerSeries } = catalog.system.feed;
        const scoped = await one();
        const device = await deviceOf(scoped);
        const [made] = (await registerSeries(requestsFor(scoped.scope, device.id, 1))).series;
        const { organizationId, subjectKind, valueKind } = made!;
        const known = { organizationId, subjectKind, subjectId: device.id, valueKind, unit: 'Cel', metadata: { x: 1 } };
        const lost = { ...known, id: made!.id + 500, metricKey: 'lost' };
        const list = [
          lost,
          { ...known, id: made!.id + 501, metricKey: made!.metricKey },
          { ...known, id: made!.id + 502, metricKey: 'of nobody', subjectId: newId() },
        ];
        expect(await restoreSeries(list, made!.id + 600)).toBe(1);
        expect(await restoreSeries(list, made!.id + 600)).toBe(0);
        expect(await scoped.series.get(lost.id)).toMatchObject(lost);
        const [again, fresh] = (await registerSeries(requestsFor(scoped.scope, device.id, 2))).series;
        expect(again).toEqual(made);
        expect(fresh!.id).toBeGreaterThan(made!.id + 600);
      });

      it('changes what a series means, and survives its device', async () => {
        const scoped = await one();
        const device = await deviceOf(scoped);
        const [made] = (await catalog.system.feed.registerSeries(requestsFor(scoped.scope, device.id, 1))).series;
        const changes = {
          unit: 'Cel',
          sourceUnit: '[degF]',
          scale: 0.1,
          offset: -40,
          minimum: -50,
          maximum: 200,
          metadata: { x: [1] },
        };
        const changed = await scoped.series.update(made!.id, changes);
        expect(changed).toEqual({ ...made, ...changes });
        await refused('BAD_REQUEST', () => scoped.series.update(made!.id, { minimum: 300 }), 'minimum');
        const apart = { sourceUnit: '[degF]', unit: 'bar', scale: 1, offset: 0 };
        await refused('BAD_REQUEST', () => scoped.series.update(made!.id, apart), 'sourceUnit');
        await scoped.series.update(made!.id, { ...apart, scale: 0.5 });
        await scoped.series.update(made!.id, changes);
        await refused('BAD_REQUEST', () => scoped.series.update(made!.id, { scale: 0 }), 'scale');
        await refused('BAD_REQUEST', () => scoped.series.update(made!.id, { offset: Number.NaN }), 'offset');
        expect(await scoped.series.get(made!.id)).toEqual(changed);
        expect(await scoped.series.find(device.id, 'm0')).toEqual(changed);
        expect(await scoped.series.listOf(device.id)).toEqual([changed]);
        expect(await scoped.series.getMany([made!.id, 2 ** 40, -1])).toEqual([changed]);
        await scoped.devices.delete(device.id);
        expect(await scoped.series.get(made!.id)).toEqual(changed);
      });
    });

    it('keeps mappings; built-in ones stand fast', async () => {
      const { mappings } = await one();
      const wanted = {
        name: 'Mine',
        pattern: 'plant/{device}/{tag+}',
        codec: 'json',
        device: '{device}',
        metric: '{tag}',
      };
      const mapping = await mappings.create(wanted);
      expect(mapping).toMatchObject({ ...wanted, priority: 0, enabled: true });
      expect((await mappings.list())[0]).toEqual(mapping);
      expect((await mappings.list()).length).toBe(1 + BUILT_IN_MAPPINGS.length);
      await refused('BAD_REQUEST', () => mappings.create({ ...wanted, name: 'b', pattern: 'a/#' }), 'pattern');
      expect(await mappings.update(mapping.id, { enabled: false })).toMatchObject({
        enabled: false,
        pattern: wanted.pattern,
      });
      await refused('FORBIDDEN', () => mappings.update(BUILT_IN_MAPPINGS[0]!.id, { enabled: false }));
      await refused('FORBIDDEN', () => mappings.delete(BUILT_IN_MAPPINGS[0]!.id));
      await mappings.delete(mapping.id);
      expect(await mappings.get(mapping.id)).toBeNull();
    });

    it('keeps events once, and pages through them newest first', async () => {
      const scoped = await one();
      const device = await deviceOf(scoped);
      const events = Array.from(
        { length: 25 },
        (_, i): DomainEvent => ({
          id: newId(),
          organizationId: scoped.scope.organizationId,
          type: i % 5 === 0 ? 'DEVICE_DISCONNECTED' : 'DEVICE_CONNECTED',
          ...{ subjectKind: 'device', subjectId: i === 7 ? 'other' : device.id },
          // Pairs at the same microsecond: the id decides.
          time: 1_000_000 + Math.floor(i / 2),
          payload: { i, text: 'a "quoted", {braced} \\ text' },
        }),
      );
      const { feed } = catalog.system;
      expect(await feed.insertEvents(events)).toBe(25);
      expect(await feed.insertEvents([...events, { ...events[0]!, id: newId(), organizationId: newId() }])).toBe(0);
      const expected = [...events].sort((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1));
      const seen: DomainEvent[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await scoped.events.list({ limit: 7, ...(cursor !== undefined && { cursor }) });
        seen.push(...page.items);
        if (page.nextCursor === null) break;
        cursor = page.nextCursor;
      }
      expect(seen).toEqual(expected);
      expect((await scoped.events.list({ types: ['DEVICE_DISCONNECTED'] })).items.length).toBe(5);
      expect((await scoped.events.list({ subjectId: 'other' })).items).toEqual([events[7]]);
      expect((await scoped.events.list({ from: 1_000_002, to: 1_000_003 })).items.length).toBe(2);
      expect(await scoped.events.get(events[3]!.id)).toEqual(events[3]);
      await refused('BAD_REQUEST', () => scoped.events.list({ cursor: 'nonsense' }), 'cursor');
    });

    it('keeps what was done with dead letters, and receipts; prunes by age', async () => {
      const scoped = await one();
      const { organizationId } = scoped.scope;
      await scoped.deadLetters.record([
        { partition: 1, position: 2 ** 40, action: 'replayed', note: 'mended', userId: null },
        { partition: 1, position: 5, action: 'dismissed', note: '', userId: null },
      ]);
      const actions = await scoped.deadLetters.list({ partition: 1, from: 6, to: 2 ** 41 });
      expect(actions).toMatchObject([{ position: 2 ** 40, action: 'replayed', note: 'mended' }]);
      const receipt = (receivedTime: number) => ({
        ...{ id: newId(), organizationId, apiKeyId: null, receivedTime, recordCount: 3 },
        ranges: [{ partition: 0, firstPosition: 17, count: 3 }],
      });
      const [old, young] = [receipt(1_000_000), receipt(9_000_000)];
      await catalog.system.feed.insertReceipts([old, young]);
      await catalog.system.feed.insertReceipts([old, young]);
      expect(await scoped.receipts.get(old.id)).toEqual(old);
      const deleted = await catalog.system.feed.prune(10_000_000, { eventsMs: 10_000, receiptsMs: 5_000 });
      expect(deleted).toBeGreaterThanOrEqual(1);
      expect(await scoped.receipts.get(old.id)).toBeNull();
      expect(await scoped.receipts.get(young.id)).toEqual(young);
    });

    describe('directory', () => {
      it('tells changes in their order, each once, within 100 ms, so that a cache stays equal to a snapshot', async () => {
        const scoped = await one();
        const { directory, feed } = catalog.system;
        const snapshot = await directory.snapshot();
        const cache = new DirectoryCache(snapshot);
        const seen: DirectoryChange[] = [];
        const stop = directory.watch(snapshot.version, (changes) => {
          seen.push(...changes);
          for (const change of changes) cache.apply(change);
        });
        const { device } = await scoped.devices.create({ name: 'w', key: 'watched' });
        const startedMs = performance.now();
        await until('the new device', () => cache.device(device.id));
        expect(performance.now() - startedMs).toBeLessThan(100);
        await scoped.devices.update(device.id, { attributes: { unseen: true } });
        await feed.setConnectivity([
          { organizationId: scoped.scope.organizationId, deviceId: device.id, status: 'online', time: 1 },
        ]);
        await scoped.devices.update(device.id, { key: 'renamed' });
        const [made] = (await feed.registerSeries(requestsFor(scoped.scope, device.id, 3))).series;
        await scoped.series.update(made!.id, { unit: 'Cel' });
        const mapping = await scoped.mappings.create({
          name: 'm',
          pattern: 'a/{device}',
          codec: 'json',
          device: '{device}',
          metric: 'x',
        });
        await scoped.mappings.delete(mapping.id);
        await scoped.organization.update({ autoRegistration: true });
        const doomed = await deviceOf(scoped, 'doomed');
        await scoped.devices.delete(doomed.id);
        const last = await directory.snapshot();
        await until('the last change', () => cache.version >= last.version);
        stop();
        const versions = seen.map((change) => change.version);
        expect(versions).toEqual([...versions].sort((a, b) => a - b));
        expect(new Set(versions).size).toBe(versions.length);
        expect(cache.findDevice(scoped.scope.organizationId, 'renamed')).toEqual(
          last.devices.find((d) => d.id === device.id),
        );
        expect(cache.findDevice(scoped.scope.organizationId, 'watched')).toBeUndefined();
        expect(cache.device(doomed.id)).toBeUndefined();
        expect(cache.mapping(mapping.id)).toBeUndefined();
        expect(cache.organization(scoped.scope.organizationId)!.autoRegistration).toBe(true);
        expect([...cache.seriesOf(device.id)!.values()].map((one) => one.unit).sort()).toEqual(['', '', 'Cel']);
        expect(new Set([...cache.devices()].map((d) => d.id))).toEqual(new Set(last.devices.map((d) => d.id)));
        // Attributes and connectivity are none of the directory's.
        expect(seen.filter((change) => change.kind === 'device' && change.device.id === device.id).length).toBe(2);
      });

      it('misses nothing while many write at the same time, and catches up from any version', async () => {
        const scoped = await one();
        const { directory } = catalog.system;
        const { version } = await directory.snapshot();
        const seen = new Map<string, number>();
        const stop = directory.watch(version, (changes) => {
          for (const change of changes) if (change.kind === 'device') seen.set(change.device.id, change.version);
        });
        const made = await Promise.all(Array.from({ length: 60 }, () => deviceOf(scoped)));
        await until('all devices', () => made.every((device) => seen.has(device.id)));
        stop();
        const late: string[] = [];
        const stopLate = directory.watch(version, (changes) => {
          for (const change of changes) if (change.kind === 'device') late.push(change.device.id);
        });
        await until('all devices again', () => late.length >= 60);
        stopLate();
        expect(new Set(late)).toEqual(new Set(made.map((device) => device.id)));
      });
    });

    describe('tenants', () => {
      it('sees no row of another organisation, and none at all without a scope, in any table', async () => {
        const mine = await fill(catalog);
        const other = await one();
        const tables = await test.superuser(
          "select table_name from information_schema.tables where table_schema = 'fieldline' and table_type = 'BASE TABLE' order by 1",
        );
        expect(tables.length).toBeGreaterThan(14);
        const noOrganization = ['schema_migrations', 'directory_clock'];
        for (const table of tables.map((row) => String(row.table_name))) {
          if (noOrganization.includes(table)) continue;
          const [protection] = await test.superuser(
            "select relrowsecurity and relforcerowsecurity as forced from pg_class where oid = ('fieldline.' || $1)::regclass",
            [table],
          );
          expect([table, protection!.forced]).toEqual([table, true]);
          const [stored] = await test.superuser(`select count(*)::int as count from fieldline.${table}`);
          expect([table, Number(stored!.count) > 0]).toEqual([table, true]);
          const builtIn = table === 'topic_mappings' ? 'where organization_id is not null' : '';
          const seenBy = (scope: Scope | null) =>
            visibleRows(test, scope, `select count(*)::int as count from fieldline.${table} ${builtIn}`);
          expect([table, 'no scope', await seenBy(null)]).toEqual([table, 'no scope', 0]);
          const ofEach = ['organizations', 'directory_changes', 'audit_heads', 'audit_entries'];
          const own = ofEach.includes(table) ? 1 : 0;
          expect([table, 'other', await seenBy(other.scope)]).toEqual([table, 'other', own]);
        }
        expect(await visibleRows(test, mine, 'select count(*)::int as count from fieldline.devices')).toBe(2);
      });

      it('cannot write into another organisation, nor refer to what is another’s', async () => {
        const mine = await one();
        const other = await one();
        const theirs = await deviceOf(other);
        const theirSite = await other.sites.create({ name: 'S' });
        await refused('NOT_FOUND', () => mine.devices.update(theirs.id, { name: 'mine now' }));
        await refused('NOT_FOUND', () => mine.devices.delete(theirs.id));
        await refused('NOT_FOUND', () => mine.devices.rotateToken(theirs.id));
        await refused('NOT_FOUND', () => mine.sites.update(theirSite.id, { name: 'x' }));
        await refused('BAD_REQUEST', () => mine.devices.create({ name: 'x', siteId: theirSite.id }), 'siteId');
        await refused('BAD_REQUEST', () => mine.devices.create({ name: 'x', gatewayId: theirs.id }), 'gatewayId');
        await refused('FORBIDDEN', () =>
          test.database.transaction(mine.scope, (queries) =>
            queries.insert(schema.settings).values({ organizationId: other.scope.organizationId, key: 'k', value: 1 }),
          ),
        );
        const moved = test.database.transaction(mine.scope, (queries) =>
          queries.update(schema.devices).set({ organizationId: mine.scope.organizationId }).returning(),
        );
        expect(await moved).toEqual([]);
        expect(await other.devices.get(theirs.id)).toMatchObject({ name: theirs.name });
      });

      it('keeps whoever is bound to sites to what belongs to them', async () => {
        const all = await one();
        const [a, b] = [await all.sites.create({ name: 'A' }), await all.sites.create({ name: 'B' })];
        const inA = (await all.devices.create({ name: 'in A', siteId: a.id })).device;
        const inB = (await all.devices.create({ name: 'in B', siteId: b.id })).device;
        const nowhere = (await all.devices.create({ name: 'nowhere' })).device;
        const registered = await catalog.system.feed.registerSeries(
          [inA, inB, nowhere].flatMap((device) => requestsFor(all.scope, device.id, 1)),
        );
        await catalog.system.feed.insertEvents(
          [inA, inB].map((device) => ({
            ...{
              id: newId(),
              organizationId: all.scope.organizationId,
              type: 'DEVICE_CONNECTED',
              subjectKind: 'device',
            },
            ...{ subjectId: device.id, time: 5, payload: {} },
          })),
        );
        const bound = catalog.scoped({ ...all.scope, siteIds: [a.id] });
        expect((await bound.devices.list()).items.map((device) => device.id)).toEqual([inA.id]);
        expect((await bound.sites.list()).items.map((site) => site.id)).toEqual([a.id]);
        expect(await bound.devices.get(inB.id)).toBeNull();
        const ids = registered.series.map((one) => one!.id);
        expect((await bound.series.getMany(ids)).map((one) => one.subjectId)).toEqual([inA.id]);
        expect((await bound.events.list()).items.map((event) => event.subjectId)).toEqual([inA.id]);
        await refused('FORBIDDEN', () => bound.devices.update(inA.id, { siteId: b.id }));
        await refused('FORBIDDEN', () => bound.devices.create({ name: 'x' }));
        const none = catalog.scoped({ ...all.scope, siteIds: [] });
        expect((await none.devices.list()).total).toBe(0);
        expect((await none.sites.list()).total).toBe(0);
      });

      it('has no rights at all outside a door, nor behind the system door beyond what it was granted', async () => {
        await refused('FORBIDDEN', () =>
          test.database.transaction('system', (queries) => queries.delete(schema.users)),
        );
        await refused('FORBIDDEN', () =>
          test.database.transaction('system', (queries) => queries.select().from(schema.settings)),
        );
        const [role] = await test.superuser(
          "select rolsuper or rolbypassrls as passes from pg_roles where rolname = 'fieldline_app'",
        );
        expect(role).toEqual({ passes: false });
        const user = await test.database.transaction('system', (queries) =>
          queries.execute(sql`select session_user as who, current_user as door`),
        );
        expect(user.rows[0]).toEqual({ who: 'fieldline_app', door: 'fieldline_system' });
      });
    });

    it('has the columns in the database that the code believes in', async () => {
      for (const table of Object.values(schema).filter((value) => is(value, PgTable))) {
        const found = await test.superuser(
          "select column_name as name, is_nullable = 'YES' as nullable from information_schema.columns where table_schema = 'fieldline' and table_name = $1 order by 1",
          [getTableName(table)],
        );
        const believed = Object.entries(getTableColumns(table)).map(([key, column]) => ({
          name: key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace('sha256', 'sha256'),
          nullable: !column.notNull,
        }));
        believed.sort((a, b) => (a.name < b.name ? -1 : 1));
        expect({ table: getTableName(table), columns: found }).toEqual({
          table: getTableName(table),
          columns: believed,
        });
      }
    });

    it('answers a ping', () => catalog.ping());
  });
}

/** The call is refused with this code (and, where given, names this field). */
/** The same database for a second catalog beside the first: notifications stay with the first one. */
function withoutNotifications({ database }: TestDatabase): TestDatabase['database'] {
  return {
    pollIntervalMs: null,
    transaction: (door, work) => database.transaction(door, work),
    onNotification: () => {},
    ping: () => database.ping(),
    close: async () => {},
  };
}

/** How many rows a tenant sees; 0 where it may not even look. null = the tenants' door without a scope. */
async function visibleRows(test: TestDatabase, scope: Scope | null, query: string): Promise<number> {
  try {
    return await test.database.transaction(scope ?? 'system', async (queries) => {
      if (scope === null) await queries.execute(sql`set local role fieldline_tenant`);
      const result = await queries.execute<{ count: number }>(sql.raw(query));
      return result.rows[0]!.count;
    });
  } catch (error) {
    expect(error).toMatchObject({ code: 'FORBIDDEN' });
    return 0;
  }
}

/** An organisation with at least one row in every table that belongs to organisations. */
async function fill(catalog: Catalog): Promise<Scope> {
  const scoped = await newOrganization(catalog);
  const { organizationId } = scoped.scope;
  const user = await scoped.users.create({ email: `${newId()}@x.org`, name: 'U', role: 'admin', password: null });
  const site = await scoped.sites.create({ name: 'S' });
  const device = (await scoped.devices.create({ name: 'D', siteId: site.id })).device;
  await scoped.devices.create({ name: 'E' });
  await scoped.apiKeys.create({ name: 'K', scopes: ['a'] });
  await scoped.settings.set('k', 1);
  await scoped.mappings.create({ name: 'M', pattern: 'a', codec: 'json', device: 'a', metric: 'b' });
  await scoped.deadLetters.record([{ partition: 0, position: 1, action: 'dismissed', note: '', userId: user.id }]);
  await scoped.jobs.create({ kind: 'fill', parameters: {} });
  const { feed, sessions } = catalog.system;
  await feed.registerSeries([
    { organizationId, subjectKind: 'device', subjectId: device.id, metricKey: 'm', valueKind: 'number' },
  ]);
  await feed.setConnectivity([{ organizationId, deviceId: device.id, status: 'online', time: 1 }]);
  const subject = { subjectKind: 'device' as const, subjectId: device.id };
  await feed.insertEvents([
    { id: newId(), organizationId, type: 'DEVICE_CONNECTED', ...subject, time: 1, payload: {} },
  ]);
  await feed.insertReceipts([
    { id: newId(), organizationId, apiKeyId: null, receivedTime: 1, recordCount: 0, ranges: [] },
  ]);
  const { token } = await sessions.startFamily(user.id);
  await sessions.endFamily(token);
  await sessions.startFamily(user.id);
  await sessions.signingKey();
  return scoped.scope;
}
