/** Signing in, staying in, getting out; and what a thief or a guesser meets. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestCatalog } from '../../testing/memory-catalog.ts';
import { openPgliteCatalog } from '../../testing/pglite-catalog.ts';
import { startApi, type TestApi } from '../../testing/start-api.ts';

let test: TestApi;
let organizationId: string;
const login = async (body: object) => test.call('POST', '/api/v1/auth/login', { body });
const me = (token: string) => test.call('GET', '/api/v1/auth/me', { token });
const refresh = (refreshToken: string) => test.call('POST', '/api/v1/auth/refresh', { body: { refreshToken } });

const catalogs: [string, (() => Promise<TestCatalog>) | undefined][] = [
  ['in memory', undefined],
  ['on PGlite', openPgliteCatalog],
];

describe.each(catalogs)('auth, %s', (_name, open) => {
  beforeAll(async () => {
    test = await startApi({}, await open?.());
    organizationId = (await test.catalog.addOrganization('plant')).id;
  });
  afterAll(async () => {
    await test.stop();
    await test.catalog.close();
  });

  it('signs in with a password and tells who one is and what one may do', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const { status, body, headers } = await login({ email, password });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('set-cookie')).toBeNull();
    const who = await me(body.accessToken);
    expect(who.body).toMatchObject({ email, role: 'viewer', organization: { slug: 'plant' } });
    expect(who.body.permissions).toContain('telemetry:read');
    expect(who.body.permissions).not.toContain('devices:write');
  });

  it('gives browsers the refresh token in a cookie that scripts cannot read', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const { body, headers } = await login({ email, password, refreshTransport: 'cookie' });
    expect(body.refreshToken).toBeUndefined();
    const cookie = headers.get('set-cookie')!;
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).toMatch(/Path=\/api\/v1\/auth/);
    const again = await test.call('POST', '/api/v1/auth/refresh', { headers: { cookie: cookie.split(';', 1)[0]! } });
    expect(again.status).toBe(200);
    expect(again.body.refreshToken).toBeUndefined();
    expect(again.headers.get('set-cookie')).not.toBe(cookie);
  });

  it('rotates refresh tokens; one that comes twice ends the whole session at once', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const first = (await login({ email, password })).body;
    const second = (await refresh(first.refreshToken)).body;
    expect((await me(second.accessToken)).status).toBe(200);
    expect((await refresh(first.refreshToken)).status).toBe(401);
    expect((await me(second.accessToken)).status).toBe(401);
    expect((await me(first.accessToken)).status).toBe(401);
    expect((await refresh(second.refreshToken)).status).toBe(401);
  });

  it('ends the session at log-out, and with it the access token', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const { accessToken: token, refreshToken } = (await login({ email, password })).body;
    expect((await test.call('POST', '/api/v1/auth/logout', { body: { refreshToken } })).status).toBe(204);
    expect((await me(token)).status).toBe(401);
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  it('does not take an access token after its time', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const { accessToken: token } = (await login({ email, password })).body;
    test.clock.advanceMs(15 * 60_000 - 1);
    expect((await me(token)).status).toBe(200);
    test.clock.advanceMs(1_000);
    const late = await me(token);
    expect(late.status).toBe(401);
    expect(late.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  it('changes the own password and ends all sessions', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'viewer');
    const { accessToken: token } = (await login({ email, password })).body;
    const change = (currentPassword: string) =>
      test.call('PUT', '/api/v1/auth/password', { token, body: { currentPassword, newPassword: 'another one' } });
    expect((await change('wrong')).status).toBe(403);
    expect((await change(password)).status).toBe(204);
    expect((await me(token)).status).toBe(401);
    expect((await login({ email, password: 'another one' })).status).toBe(200);
  });

  it('takes no token that was not signed by its key with its algorithm for its purpose', async () => {
    const { email, password } = await test.catalog.addUser(organizationId, 'admin');
    const { accessToken } = (await login({ email, password })).body;
    const [header, payload, signature] = accessToken.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const [kid, pem] = [...(await test.catalog.system.sessions.verificationKeys())][0]!;
    const withPublicKey = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid, typ: 'at+jwt' })
      .sign(new TextEncoder().encode(pem));
    const forged = {
      none: `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      noneWithSignature: `${encode({ alg: 'none', kid, typ: 'at+jwt' })}.${payload}.${signature}`,
      withPublicKey,
      otherClaims: `${header}.${encode({ ...claims, org: crypto.randomUUID() })}.${signature}`,
      otherKey: `${encode({ alg: 'RS256', kid: 'k2', typ: 'at+jwt' })}.${payload}.${signature}`,
      noToken: 'x',
    };
    for (const [name, token] of Object.entries(forged)) expect((await me(token)).status, name).toBe(401);
  });
});

describe('guessing', () => {
  it('makes an account wait longer and longer, also for the right password, and says until when', async () => {
    const fresh = await startApi({ loginAttemptsPerMinute: 1000 });
    const { email, password } = await fresh.catalog.addUser((await fresh.catalog.addOrganization('o')).id, 'admin');
    const attempt = (secret: string) => fresh.call('POST', '/api/v1/auth/login', { body: { email, password: secret } });
    for (let n = 0; n < 5; n++) expect((await attempt('wrong')).status).toBe(401);
    const refused = await attempt(password);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    fresh.clock.advanceMs(1_000);
    expect((await attempt('wrong')).status).toBe(401);
    expect((await attempt(password)).headers.get('retry-after')).toBe('2');
    fresh.clock.advanceMs(2_000);
    expect((await attempt(password)).status).toBe(200);
    await fresh.stop();
  });

  it('bounds failures by address, and does not count successes', async () => {
    const fresh = await startApi();
    const { email, password } = await fresh.catalog.addUser((await fresh.catalog.addOrganization('o')).id, 'admin');
    const attempt = (body: object) => fresh.call('POST', '/api/v1/auth/login', { body });
    for (let n = 0; n < 20; n++) expect((await attempt({ email, password })).status).toBe(200);
    for (let n = 0; n < 10; n++) expect((await attempt({ email: `a${n}@b.c`, password: 'x' })).status).toBe(401);
    expect((await attempt({ email: 'a11@b.c', password: 'x' })).status).toBe(429);
    fresh.clock.advanceMs(60_000);
    expect((await attempt({ email, password })).status).toBe(200);
    await fresh.stop();
  });

  it('bounds requests of a caller and tells the budget', async () => {
    const requestsPerMinute = { login: null, general: 3, timeSeries: null, ingest: null };
    const fresh = await startApi({ requestsPerMinute });
    const { id } = await fresh.catalog.addOrganization('o');
    const [one, other] = [await fresh.tokenFor(id, 'admin'), await fresh.tokenFor(id, 'admin')];
    const list = (token: string) => fresh.call('GET', '/api/v1/sites', { token });
    expect((await list(one)).headers.get('ratelimit-remaining')).toBe('2');
    await list(one);
    await list(one);
    const refused = await list(one);
    expect(refused.status).toBe(429);
    expect(refused.body.code).toBe('RATE_LIMITED');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await list(other)).status).toBe(200);
    fresh.clock.advanceMs(20_000);
    expect((await list(one)).status).toBe(200);
    await fresh.stop();
  });
});
