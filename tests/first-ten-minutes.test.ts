/**
 * The whole program through its doors, as a new user meets it: sign in, make a device, publish with a stock client, read it
 * back, see it live, stop, start again, find it.
 */
import mqtt from 'mqtt';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const folder = temporaryFolder('whole');
let server: RunningServer;
let api: ApiSession;
let device: DeviceCredentials;

beforeAll(async () => {
  server = await startServer({ dataDir: folder.path });
  api = await ApiSession.signIn(server.url);
  device = await api.createDevice('pump-1');
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const connect = (): Promise<mqtt.MqttClient> =>
  mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username: device.id,
    password: device.token,
    reconnectPeriod: 0,
  });

const topic = (): string => `v1/telemetry/${device.organizationId}/${device.key}`;

test('what a stock client publishes is readable within two seconds, with its time and value', async () => {
  const client = await connect();
  const ts = Date.now() - 60_000;
  await client.publishAsync(
    topic(),
    JSON.stringify({ ts, metrics: { temperature: 21.5, running: true, state: 'idle' } }),
    { qos: 1 },
  );
  const acknowledged = performance.now();
  const found = await eventually('the sample', async () => {
    const samples = await api.samples(device.id, 'temperature', ts - 1000, ts + 1000);
    return samples.length > 0 ? samples : null;
  });
  expect(performance.now() - acknowledged).toBeLessThan(2000);
  expect(found).toEqual([[ts, 21.5]]);
  const latest = await api.call<{
    metrics: Record<string, { value: unknown; quality: string; timestamp: string }>;
    status: string;
  }>('GET', `telemetry/device/${device.id}/latest`);
  expect(latest.status).toBe('online');
  expect(latest.metrics).toMatchObject({
    temperature: { value: 21.5, quality: 'good', timestamp: new Date(ts).toISOString() },
    running: { value: 1 },
    state: { value: 'idle' },
  });
  await client.endAsync();
});

test('a token works from the moment it is shown, and the one before no more', async () => {
  const fresh = await api.createDevice('pump-2');
  const connectWith = (password: string): Promise<mqtt.MqttClient> =>
    mqtt.connectAsync({ ...server.mqtt, protocolVersion: 5, username: fresh.id, password, reconnectPeriod: 0 });
  await (await connectWith(fresh.token)).endAsync();
  const { token } = await api.call<{ token: string }>('POST', `devices/${fresh.id}/token`);
  await (await connectWith(token)).endAsync();
  await expect(connectWith(fresh.token)).rejects.toThrow('Bad User Name or Password');
});

test('a later write of the same time wins; the others stay', async () => {
  const client = await connect();
  const ts = Date.now() - 3_600_000;
  for (const value of [1, 2]) {
    await client.publishAsync(topic(), JSON.stringify({ ts, metrics: { corrected: value } }), { qos: 1 });
  }
  await eventually('the correction', async () => {
    const samples = await api.samples(device.id, 'corrected', ts, ts + 1);
    return samples.length === 1 && samples[0]![1] === 2 ? true : null;
  });
  await client.endAsync();
});

test('live: samples and status reach a subscribed socket; offline is shown within five seconds', async () => {
  const socket: Socket = io(server.url, { path: '/live', transports: ['websocket'], auth: { token: api.accessToken } });
  const heard: string[] = [];
  const values: number[] = [];
  socket.on('telemetry:new', (frame) => values.push(...frame.metrics.live.values));
  socket.on('device:connected', () => heard.push('connected'));
  socket.on('device:disconnected', () => heard.push('disconnected'));
  expect(await socket.emitWithAck('subscribe', { deviceId: device.id })).toEqual({ ok: true });
  const client = await connect();
  await eventually('the connection', () => (heard.includes('connected') ? true : null));
  await client.publishAsync(topic(), JSON.stringify({ metrics: { live: 42 } }), { qos: 1 });
  await eventually('the live sample', () => (values.includes(42) ? true : null));
  client.stream.destroy();
  await eventually('the disconnection', () => (heard.includes('disconnected') ? true : null), 5000);
  socket.disconnect();
  await eventually('the events', async () => {
    const { items } = await api.call<{ items: { type: string }[] }>('GET', `events?subjectId=${device.id}`);
    const types = items.map(({ type }) => type);
    return types.includes('DEVICE_CONNECTED') && types.includes('DEVICE_DISCONNECTED') ? true : null;
  });
});

test('HTTP ingest goes the same way and its receipt tells how far', async () => {
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'line', scopes: ['ingest'] });
  const ts = Date.now() - 1000;
  const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ readings: [{ equipmentId: 'pump-1', sensorType: 'pressure', value: 3.5, timestamp: ts }] }),
  });
  expect(answer.status).toBe(202);
  const { receiptId } = (await answer.json()) as { receiptId: string };
  await eventually('the receipt', async () => {
    const status = await fetch(`${server.url}/api/v1/webhook/status/${receiptId}`, { headers: { 'x-api-key': key } });
    return ((await status.json()) as { status: string }).status === 'processed' ? true : null;
  });
  expect(await api.samples(device.id, 'pressure', ts, ts + 1)).toEqual([[ts, 3.5]]);
});

test('what cannot be read is a dead letter with its reason, and is taken in after the cause is mended', async () => {
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'other line', scopes: ['ingest'] });
  const ts = Date.now() - 1000;
  await fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ deviceId: 'press-9', ts, metrics: { force: 12 } }),
  });
  const letter = await eventually('the dead letter', async () => {
    const { items } = await api.call<{ items: { id: string; code: string }[] }>('GET', 'dead-letters');
    return items.find(({ code }) => code === 'DEVICE_UNKNOWN') ?? null;
  });
  const press = await api.createDevice('press-9', 'machine');
  await api.call('POST', 'dead-letters/replay', { ids: [letter.id] });
  await eventually('the replayed sample', async () => {
    const samples = await api.samples(press.id, 'force', ts, ts + 1);
    return samples[0]?.[1] === 12 ? true : null;
  });
});

test('health tells every part, metrics and the API reference are there', async () => {
  const ready = await fetch(`${server.url}/health/ready`);
  expect(ready.status).toBe(200);
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  for (const name of [
    'ingestion_messages_total',
    'tsdb_write_duration_seconds',
    'api_request_duration_seconds',
    'mqtt_connections',
  ]) {
    expect(metrics).toContain(name);
  }
  const document = (await (await fetch(`${server.url}/docs/json`)).json()) as { paths: object };
  expect(Object.keys(document.paths)).toContain('/api/v1/devices/{deviceId}');
});

test('a second process is refused the folder; after a clean stop everything is found again', async () => {
  await expect(startServer({ dataDir: folder.path })).rejects.toThrow('in use by process');
  const before = await api.call<{ metrics: object }>('GET', `telemetry/device/${device.id}/latest`);
  expect(await server.stop()).toBe(0);
  server = await startServer({ dataDir: folder.path });
  api = await ApiSession.signIn(server.url);
  const after = await api.call<{ metrics: object }>('GET', `telemetry/device/${device.id}/latest`);
  expect(after.metrics).toEqual(before.metrics);
});
