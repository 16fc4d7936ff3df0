/**
 * Unknown devices through the real program: dead letters while the organisation registers none, registered with their first
 * message when it does, over HTTP and by a gateway over MQTT, and refused again after it was switched off.
 */
import mqtt from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const NOT_AUTHORIZED = 0x87;
const folder = temporaryFolder('registration');
let server: RunningServer;
let api: ApiSession;
let gateway: DeviceCredentials;
let line: mqtt.MqttClient;
let apiKey: string;
const ts = Date.now() - 60_000;

beforeAll(async () => {
  server = await startServer({ dataDir: folder.path });
  api = await ApiSession.signIn(server.url);
  gateway = await api.createDevice('rtu-1', 'gateway');
  apiKey = (await api.call<{ key: string }>('POST', 'api-keys', { name: 'line', scopes: ['ingest'] })).key;
  line = await mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username: gateway.id,
    password: gateway.token,
    reconnectPeriod: 0,
  });
});
afterAll(async () => {
  await line?.endAsync(true);
  await server?.stop();
  folder.remove();
});

async function post(deviceId: string, value: number): Promise<void> {
  const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify({ deviceId, ts, metrics: { level: value } }),
  });
  expect(answer.status).toBe(202);
}

/** Resolves with the reason code of the PUBACK. */
async function publish(deviceKey: string, value: number): Promise<number> {
  try {
    const topic = `v1/telemetry/${gateway.organizationId}/${deviceKey}`;
    await line.publishAsync(topic, JSON.stringify({ ts, metrics: { level: value } }), { qos: 1 });
    return 0;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

const switchRegistration = (autoRegistration: boolean): Promise<unknown> =>
  api.call('PATCH', 'organization', { autoRegistration });

interface FoundDevice {
  readonly id: string;
  readonly key: string;
  readonly gatewayId: string | null;
}

async function find(key: string): Promise<FoundDevice | null> {
  const { items } = await api.call<{ items: FoundDevice[] }>('GET', `devices?search=${key}`);
  return items.find((device) => device.key === key) ?? null;
}

async function withSample(key: string, value: number): Promise<FoundDevice> {
  return eventually(`the sample of ${key}`, async () => {
    const device = await find(key);
    if (device === null) return null;
    const samples = await api.samples(device.id, 'level', ts, ts + 1);
    return samples[0]?.[1] === value ? device : null;
  });
}

const deadLetters = async (deviceId: string): Promise<{ id: string; code: string; replayedAt: string | null }[]> =>
  (
    await api.call<{ items: { id: string; code: string; replayedAt: string | null }[] }>(
      'GET',
      `dead-letters?deviceId=${deviceId}`,
    )
  ).items;

test('off: what an unknown machine sends over HTTP is a dead letter, a gateway is told at once', async () => {
  await post('pump-1', 1);
  const [letter] = await eventually('the dead letter', async () => {
    const letters = await deadLetters('pump-1');
    return letters.length > 0 ? letters : null;
  });
  expect(letter!.code).toBe('DEVICE_UNKNOWN');
  expect(await publish('valve-1', 1)).toBe(NOT_AUTHORIZED);
  expect(await find('pump-1')).toBeNull();
  expect(await find('valve-1')).toBeNull();
});

test('on: the first message registers the device and is stored; an event tells', async () => {
  await switchRegistration(true);
  await post('pump-2', 2);
  const pump = await withSample('pump-2', 2);
  expect(pump.gatewayId).toBeNull();
  await eventually('the event', async () => {
    const { items } = await api.call<{ items: { type: string }[] }>('GET', `events?subjectId=${pump.id}`);
    return items.some(({ type }) => type === 'DEVICE_REGISTERED') ? true : null;
  });
});

test('on: what a gateway publishes for an unknown device registers it as its own', async () => {
  await eventually('the gateway to be believed', async () => ((await publish('valve-2', 3)) === 0 ? true : null));
  expect((await withSample('valve-2', 3)).gatewayId).toBe(gateway.id);
});

test('on: the dead letters of before are taken in when they are replayed', async () => {
  const [letter] = await deadLetters('pump-1');
  await api.call('POST', 'dead-letters/replay', { ids: [letter!.id] });
  await withSample('pump-1', 1);
});

test('on: what cannot be a key stays a dead letter', async () => {
  await post('pump 3/../#', 1);
  const letters = await eventually('the dead letter', async () => {
    const found = await deadLetters(encodeURIComponent('pump 3/../#'));
    return found.length > 0 ? found : null;
  });
  expect(letters[0]!.code).toBe('DEVICE_UNKNOWN');
});

test('off again: registered devices go on, unknown ones are refused', async () => {
  await switchRegistration(false);
  await eventually('the gateway to be refused', async () =>
    (await publish(`valve-${crypto.randomUUID()}`, 1)) === NOT_AUTHORIZED ? true : null,
  );
  expect(await publish('valve-2', 4)).toBe(0);
  await withSample('valve-2', 4);
  await post('pump-4', 1);
  await eventually('the dead letter', async () => ((await deadLetters('pump-4')).length > 0 ? true : null));
  expect(await find('pump-4')).toBeNull();
});
