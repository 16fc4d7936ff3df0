/** What stands around the routes: problems, documentation, health, metrics, headers, the UI's files, bad input of all kinds. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { listRoutes } from '@fieldline/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './testing/start-api.ts';

let test: TestApi;
let token: string;
let uiDir: string;

beforeAll(async () => {
  uiDir = await mkdtemp(join(tmpdir(), 'fieldline-ui-'));
  await mkdir(join(uiDir, 'assets'));
  await writeFile(
    join(uiDir, 'index.html'),
    '<!doctype html><script>let theme = 1</script><script src="/assets/a.js"></script>',
  );
  await writeFile(join(uiDir, 'assets', 'a.js'), 'export {}');
  test = await startApi({ uiDir, publicUrl: 'https://plant.example', bodyBytesMax: 4096 });
  token = await test.tokenFor((await test.catalog.addOrganization('plant')).id, 'admin');
});
afterAll(async () => {
  await test.stop();
  await rm(uiDir, { recursive: true });
});

describe('problems', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    test.call('POST', '/api/v1/sites', { token, body, headers });

  it.each([
    ['bad JSON', '{"name":', {}, 400],
    ['JSON with __proto__', '{"name":"a","__proto__":{}}', {}, 400],
    ['an empty body', '', {}, 400],
    ['a list for an object', '[]', {}, 400],
    ['a wrong type', '{"name":7}', {}, 400],
    ['a missing field', '{}', {}, 400],
    ['an unknown field', '{"name":"a","isAdmin":true}', {}, 400],
    ['an unknown time zone', '{"name":"a","timeZone":"Mars"}', {}, 400],
    ['a body over the limit', JSON.stringify({ name: 'a', address: 'x'.repeat(5000) }), {}, 413],
    ['a media type that is not taken', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['a body that is deeply nested', `{"name":"a","attributes":${'['.repeat(2000)}${']'.repeat(2000)}}`, {}, 400],
  ])('%s is refused in words', async (_, body, headers, status) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.body.detail.length).toBeGreaterThan(10);
    expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|\.ts:|at Object/);
  });

  it('name each place and what to do', async () => {
    const { body } = await post('{"name":"","latitude":99,"colour":1}');
    expect(body.type).toBe('/problems/bad-request');
    const paths = body.errors.map(({ path }: { path: string }) => path);
    expect(paths).toEqual(expect.arrayContaining(['body/name', 'body/latitude', 'body']));
    expect(JSON.stringify(body.errors)).toContain('colour');
  });

  it.each([
    ['GET', '/api/v1/nothing'],
    ['DELETE', '/api/v1/sites'],
    ['GET', '/assets/missing.js'],
    ['GET', '/api/v1/devices/%00'],
    ['GET', '/api/v1/dead-letters/..%2f..%2fetc'],
    ['GET', '/..%2f..%2fetc/passwd'],
    ['GET', '/assets/..%2f..%2f..%2fetc/passwd'],
  ])('%s %s is no 5xx', async (method, path) => {
    const { status } = await test.call(method, path, { token, headers: { accept: '*/*' } });
    expect([400, 403, 404]).toContain(status);
  });

  it.each(['/api/v1/sites/%', '/%zz', `/${'x'.repeat(15_000)}`])('%.20s is a problem', async (path) => {
    const { status } = await test.call('GET', path, { token });
    expect(status).toBeLessThan(500);
  });

  it('do not tell what went wrong inside', async () => {
    const { readRaw } = test.store.telemetry;
    test.store.telemetry.readRaw = () => Promise.reject(new Error('duckdb: /secret/path is broken'));
    const door = test.catalog.scoped({ organizationId: (await test.catalog.addOrganization('x')).id, siteIds: null });
    const { device } = await door.devices.create({ name: 'd' });
    await test.catalog.addSeries(device, 'a');
    const own = await test.tokenFor(device.organizationId, 'viewer');
    const { status, body } = await test.call('GET', `/api/v1/telemetry/device/${device.id}`, { token: own });
    test.store.telemetry.readRaw = readRaw;
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(body.instance).toMatch(/^req-/);
  });

  it('answer what is not HTTP at all, and go on', async () => {
    const socket = connect(test.api.address!.port, '127.0.0.1');
    socket.end('\x10\x0cMQTT is not spoken here\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400/);
    expect((await test.call('GET', '/health/live')).status).toBe(200);
  });
});

describe('documentation', () => {
  it('has every route, and references that lead somewhere', async () => {
    const { body, status } = await test.call('GET', '/docs/json');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    for (const { route } of listRoutes()) {
      const path = body.paths[route.path.replace(/:([A-Za-z]+)/g, '{$1}')];
      expect(path[route.method.toLowerCase()].summary).toBe(route.summary);
    }
    const references = JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(body.components.schemas[name!]).toBeTypeOf('object');
    expect(body.components.schemas.Device.required).toContain('organizationId');
  });

  it('is there for people', async () => {
    const { status, body } = await test.call('GET', '/docs/', { headers: { accept: 'text/html' } });
    expect(status).toBe(200);
    expect(body).toContain('swagger-ui');
  });
});

describe('health', () => {
  it('is ready when all parts are, else names those that are not', async () => {
    expect((await test.call('GET', '/health/ready')).body).toMatchObject({ status: 'ready', notReady: [] });
    test.parts = [
      { name: 'broker', state: 'running', ready: true },
      { name: 'pipeline', state: 'failed', ready: false, problem: 'the store is away' },
    ];
    test.catalog.reachable = false;
    const { status, body } = await test.call('GET', '/health/ready');
    test.catalog.reachable = true;
    test.parts = [];
    expect(status).toBe(503);
    expect(body.notReady).toEqual(['pipeline', 'catalog']);
    expect(body.parts[1].problem).toBe('the store is away');
    expect((await test.call('GET', '/health/live')).status).toBe(200);
  });

  it('tells metrics by route, not by path', async () => {
    await test.call('GET', '/api/v1/devices/one-that-is-not-there', { token });
    const { body, headers } = await test.call('GET', '/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(body).toMatch(
      /api_request_duration_seconds_count\{method="GET",route="\/api\/v1\/devices\/:deviceId",status="404"\} \d/,
    );
    expect(body).toMatch(/^ws_connected_clients 0$/m);
    expect(body).not.toContain('one-that-is-not-there');
  });
});

describe('the UI', () => {
  const page = (path: string) => test.call('GET', path, { headers: { accept: 'text/html,*/*' } });

  it.each(['/', '/devices', '/devices/abc?tab=live'])('answers %s with the page', async (path) => {
    const { status, headers, body } = await page(path);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-cache');
    expect(body).toContain('theme = 1');
  });

  it('keeps assets for good, and is no page for what is missing', async () => {
    const asset = await test.call('GET', '/assets/a.js');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect(asset.headers.get('content-type')).toContain('javascript');
    expect((await page('/assets/b.js')).status).toBe(404);
    expect((await page('/api/v1/nothing')).status).toBe(404);
  });

  it('runs under a policy that lets only its own scripts run', async () => {
    const { headers } = await page('/');
    const policy = headers.get('content-security-policy')!;
    expect(policy).toMatch(/script-src 'self' 'sha256-[A-Za-z0-9+/=]+';/);
    expect(policy).toContain('wss://plant.example');
    expect(headers.get('strict-transport-security')).toContain('max-age');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('says what to do where it is not built, and sends no HSTS over http', async () => {
    const bare = await startApi({ uiDir: join(uiDir, 'nothing') });
    const { status, body, headers } = await bare.call('GET', '/', { headers: { accept: 'text/html' } });
    expect(status).toBe(200);
    expect(body).toContain('npm run build:ui');
    expect(headers.get('strict-transport-security')).toBeNull();
    await bare.stop();
  });
});

describe('a stop', () => {
  it('does not wait for clients that neither send nor read on', async () => {
    await writeFile(join(uiDir, 'assets', 'large.js'), Buffer.alloc(32 * 1024 * 1024, ' '));
    const other = await startApi({ uiDir, stopGraceMs: 100 });
    const { port } = other.api.address!;
    const deaf = connect(port, '127.0.0.1');
    deaf.write('GET /assets/large.js HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(deaf, 'readable');
    const mute = connect(port, '127.0.0.1');
    mute.write(
      'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"em',
    );
    // Another connection is answered, so what was written before it has arrived.
    expect((await other.call('GET', '/health/live')).status).toBe(200);
    await other.stop();
    deaf.destroy();
    mute.destroy();
  }, 5_000);
});
