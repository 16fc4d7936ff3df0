/**
 * What people who run the program look at, from the real one: each log line is JSON of one shape and holds no secret, readiness
 * names the part that is down and recovers, metrics carry the names that dashboards know.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { fieldline } from './support/command-line.ts';
import { ADMIN_PASSWORD, type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const folder = temporaryFolder('operations');
let server: RunningServer;
let api: ApiSession;
let device: DeviceCredentials;
const secrets = new Map<string, string>([['the password', ADMIN_PASSWORD]]);

beforeAll(async () => {
  server = await startServer({
    dataDir: folder.path,
    linesMax: 1_000_000,
    environment: { FIELDLINE_LOG_LEVEL: 'debug', FIELDLINE_STORE_SEAL_AFTER_SECONDS: '1' },
  });
  api = await ApiSession.signIn(server.url);
  device = await api.createDevice('press-1', 'machine');
  secrets.set('the access token', api.accessToken).set('the device token', device.token);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const connect = (password: string): Promise<mqtt.MqttClient> =>
  mqtt.connectAsync({ ...server.mqtt, protocolVersion: 5, username: device.id, password, reconnectPeriod: 0 });

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const ready = async (): Promise<{
  status: number;
  notReady: string[];
  parts: { name: string; problem?: string }[];
}> => {
  const answer = await fetch(`${server.url}/health/ready`);
  const body = (await answer.json()) as { notReady: string[]; parts: { name: string; problem?: string }[] };
  return { ...body, status: answer.status };
};

test('readiness has one entry for each part', async () => {
  const { status, notReady, parts } = await ready();
  expect(status).toBe(200);
  expect(notReady).toEqual([]);
  const names = parts.map(({ name }) => name);
  expect([...names].sort()).toEqual([
    'api',
    'broker',
    'catalog',
    'connectors',
    'data folder',
    'events',
    'jobs',
    'log',
    'pipeline',
    'store',
  ]);
});

test('readiness is 503 and names the part that is down, until it works again', async () => {
  const sealed = join(folder.path, 'store', 'sealed');
  renameSync(sealed, `${sealed}.away`);
  writeFileSync(sealed, 'no folder');
  const client = await connect(device.token);
  await client.publishAsync(
    `v1/telemetry/${device.organizationId}/press-1`,
    JSON.stringify({ ts: Date.now() - 60_000, metrics: { force: 1 } }),
    { qos: 1 },
  );
  const down = await eventually('the store to be down', async () => {
    const now = await ready();
    return now.status === 503 ? now : null;
  });
  expect(down.notReady).toEqual(['store']);
  expect(down.parts.find(({ name }) => name === 'store')?.problem).toBeTruthy();
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  renameSync(sealed, `${sealed}.wrong`);
  renameSync(`${sealed}.away`, sealed);
  await eventually('the store to be back', async () => ((await ready()).status === 200 ? true : null));
  await client.endAsync();
});

test('metrics carry the names that dashboards know', async () => {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  for (const name of [
    'ingestion_messages_total',
    'tsdb_write_duration_seconds',
    'tsdb_write_batch_size',
    'api_request_duration_seconds',
    'ws_connected_clients',
    'pipeline_lag_records',
  ]) {
    expect(page).toMatch(new RegExp(`^# HELP ${name} .+`, 'm'));
  }
  expect(Number(/^ingestion_messages_total(?:\{[^}]*\})? (\d+)/m.exec(page)?.[1])).toBeGreaterThan(0);
});

test('each line of the log is JSON with level, time, service and msg, and no secret is in any', async () => {
  await everyDoorWithSecrets();
  const stopping = server.stop();
  expect(await stopping).toBe(0);
  const output = server.lastLines();
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(entries.length).toBeGreaterThan(3);
  for (const entry of entries) {
    expect(entry).toMatchObject({ msg: expect.any(String), service: expect.any(String) });
    expect(['debug', 'info', 'warn', 'error']).toContain(entry.level);
    expect(new Date(entry.time as string).toISOString()).toBe(entry.time);
  }
  expect(entries.find(({ msg }) => msg === 'ready')).toMatchObject({ durationMs: expect.any(Number) });
  expect(entries.find(({ msg }) => msg === 'stopped')).toMatchObject({ durationMs: expect.any(Number) });
  expect(entries.find(({ msg }) => msg === 'a message was refused')).toMatchObject({ deviceId: device.id });
  expect(entries.find(({ msg }) => msg === 'records processed')).toMatchObject({
    service: 'pipeline',
    recordCount: expect.any(Number),
    durationMs: expect.any(Number),
  });
  for (const [what, secret] of secrets) expect(output.includes(secret), `${what} is in the log`).toBe(false);
});

/** Signs in, refuses, is refused, with every kind of secret there is. */
async function everyDoorWithSecrets(): Promise<void> {
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'line', scopes: ['ingest'] });
  secrets.set('the API key', key).set('a wrong token', 'wrong-device-token-0123456789');
  const message = { deviceId: 'nobody', metrics: { a: 1 } };
  await post('/api/v1/webhook/sensor-data', message, { 'x-api-key': key });
  await post('/api/v1/webhook/sensor-data', { nonsense: true }, { 'x-api-key': key });
  await post('/api/v1/webhook/sensor-data', message, { 'x-api-key': `${key}x` });
  const login = await post('/api/v1/auth/login', { email: 'admin@fieldline.local', password: ADMIN_PASSWORD });
  const { accessToken, refreshToken } = (await login.json()) as { accessToken: string; refreshToken: string };
  secrets.set('a second access token', accessToken).set('a refresh token', refreshToken);
  await post('/api/v1/auth/refresh', { refreshToken });
  await post('/api/v1/auth/refresh', { refreshToken }); // A replay, which is told in the log.
  await post('/api/v1/auth/login', { email: 'admin@fieldline.local', password: 'wrong-device-token-0123456789' });
  await expect(connect('wrong-device-token-0123456789')).rejects.toThrow();
  const client = await connect(device.token);
  await client.publishAsync('v1/telemetry/elsewhere/press-1', '{}', { qos: 1 }).catch(() => {}); // Refused, which is told.
  await client.endAsync();
  const { token } = await api.call<{ token: string }>('POST', `devices/${device.id}/token`);
  secrets.set('the new device token', token);
  await (await connect(token)).endAsync();
  await fieldline(['config'], { FIELDLINE_ADMIN_PASSWORD: ADMIN_PASSWORD }).then(({ code, stdout }) => {
    expect(code).toBe(0);
    expect(stdout).not.toContain(ADMIN_PASSWORD);
  });
  await eventually('the progress to be told', () => (server.lastLines().includes('records processed') ? true : null));
}
