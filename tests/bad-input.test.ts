/**
 * Bad input at every door of the real program: each has its defined answer, nothing stops the process, and a well-behaved
 * client beside it loses nothing.
 */
import mqtt from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { connectPacket, mqttPacket, mqttText, publishPacket, RawMqtt } from './support/raw-mqtt.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const CONNACK = 2;
const PUBACK = 4;
const DISCONNECT = 14;

const folder = temporaryFolder('bad-input');
let server: RunningServer;
let api: ApiSession;
let device: DeviceCredentials;
let witness: mqtt.MqttClient;
let witnessDevice: DeviceCredentials;
let witnessed = 0;
let witnessTimer: NodeJS.Timeout;
const witnessStart = Date.now() - 600_000;

beforeAll(async () => {
  server = await startServer({ dataDir: folder.path });
  api = await ApiSession.signIn(server.url);
  device = await api.createDevice('rude-1');
  witnessDevice = await api.createDevice('witness-1');
  witness = await mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username: witnessDevice.id,
    password: witnessDevice.token,
    reconnectPeriod: 0,
  });
  witnessTimer = setInterval(() => {
    const ts = witnessStart + witnessed;
    witnessed += 1;
    witness.publish(
      `v1/telemetry/${witnessDevice.organizationId}/witness-1`,
      JSON.stringify({ ts, metrics: { n: ts } }),
      { qos: 1 },
    );
  }, 20);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const topic = (): string => `v1/telemetry/${device.organizationId}/rude-1`;

async function signedIn(): Promise<RawMqtt> {
  const client = await RawMqtt.open(server.mqtt);
  client.socket.write(connectPacket(`rude-${Math.random()}`, device.id, device.token));
  expect((await client.next(CONNACK))?.body[1]).toBe(0);
  return client;
}

test.each([
  ['a PUBLISH before CONNECT', () => publishPacket('x', 1, Buffer.from('1'))],
  ['noise', () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  [
    'a CONNECT with a doubled property',
    () =>
      mqttPacket(
        0x10,
        mqttText('MQTT'),
        Buffer.from([5, 2, 0, 30, 10, 0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]),
        mqttText('x'),
      ),
  ],
  [
    'a CONNECT with another protocol name',
    () => mqttPacket(0x10, mqttText('MQTX'), Buffer.from([5, 2, 0, 30, 0]), mqttText('x')),
  ],
  ['a length of five bytes', () => Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])],
])('%s ends the connection', async (_, bytes) => {
  const client = await RawMqtt.open(server.mqtt);
  client.socket.write(bytes());
  await client.untilClosed(2000);
});

test.each([
  ['wrong token', () => connectPacket('x', device.id, 'nonsense'), 0x86],
  ['unknown device', () => connectPacket('x', '01900000-0000-7000-8000-000000000000', 'nonsense'), 0x86],
  ['no credentials', () => mqttPacket(0x10, mqttText('MQTT'), Buffer.from([5, 2, 0, 30, 0]), mqttText('x')), 0x86],
])('CONNECT with %s is refused with its reason code', async (_, bytes, reasonCode) => {
  const client = await RawMqtt.open(server.mqtt);
  client.socket.write(bytes());
  expect((await client.next(CONNACK))?.body[1]).toBe(reasonCode);
  await client.untilClosed(2000);
});

test.each([
  ['a topic with a wildcard', () => publishPacket('v1/telemetry/+/x', 1, Buffer.from('1')), 0x81],
  ['a topic that is not UTF-8', () => mqttPacket(0x32, Buffer.from([0, 2, 0xc3, 0x28]), Buffer.from([0, 1, 0])), 0x81],
  ['packet identifier 0', () => publishPacket(topic(), 0, Buffer.from('1')), 0x82],
  ['QoS 3', () => mqttPacket(0x36, mqttText('x'), Buffer.from([0, 1, 0])), 0x81],
  ['reserved flags', () => Buffer.from([0xe1, 0]), 0x81],
  ['a packet over the limit', () => Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61]), 0x95],
  ['a second CONNECT', () => connectPacket('again', device.id, device.token), 0x82],
])('%s gets DISCONNECT with its reason code', async (_, bytes, reasonCode) => {
  const client = await signedIn();
  client.socket.write(bytes());
  expect((await client.next(DISCONNECT))?.body[0]).toBe(reasonCode);
  await client.untilClosed(3000);
});

test("another device's topic is refused with 0x87 and the connection goes on", async () => {
  const client = await signedIn();
  client.socket.write(
    publishPacket(`v1/telemetry/${device.organizationId}/witness-1`, 7, Buffer.from('{"metrics":{"n":1}}')),
  );
  expect((await client.next(PUBACK))?.body.subarray(0, 3)).toEqual(Buffer.from([0, 7, 0x87]));
  client.socket.write(Buffer.from([0xc0, 0]));
  await client.next(13);
  client.socket.destroy();
});

test('payloads that cannot be read are acknowledged, stored as dead letters with the reason, and counted exactly', async () => {
  const many = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`m${index}`, index]));
  const cases: readonly (readonly [payload: string | Buffer, code: string])[] = [
    ['', 'PAYLOAD_EMPTY'],
    ['{', 'PAYLOAD_NOT_DECODABLE'],
    [Buffer.from([0xff, 0xfe, 0x7b]), 'PAYLOAD_NOT_DECODABLE'],
    ['"text"', 'PAYLOAD_WRONG_SHAPE'],
    ['{"metrics":5}', 'PAYLOAD_WRONG_SHAPE'],
    ['{"ts":"yesterday","metrics":{"a":1}}', 'TIME_INVALID'],
    [`{"ts":${Date.now() + 86_400_000 * 30},"metrics":{"a":1}}`, 'TIME_IN_FUTURE'],
    ['{"ts":-5,"metrics":{"a":1}}', 'TIME_INVALID'],
    ['{"metrics":{"a":NaN}}', 'VALUE_NOT_ACCEPTED'],
    ['{"metrics":{"a":1e400}}', 'VALUE_NOT_ACCEPTED'],
    ['{"metrics":{"a":{"b":{}}}}', 'VALUE_NOT_ACCEPTED'],
    [`{"metrics":{"${'x'.repeat(900_000)}":1}}`, 'METRIC_KEY_INVALID'],
    [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'PAYLOAD'],
    [`{"metrics":{"__proto__":{"polluted":true}}}`, 'VALUE_NOT_ACCEPTED'],
  ];
  const client = await mqtt.connectAsync({
    ...server.mqtt,
    protocolVersion: 5,
    username: device.id,
    password: device.token,
    reconnectPeriod: 0,
  });
  for (const [payload] of cases) await client.publishAsync(topic(), payload, { qos: 1 });
  await client.publishAsync(topic(), JSON.stringify({ metrics: { ...many, good: 1 } }), { qos: 1 });
  await client.publishAsync(topic(), '{"metrics":{"twice":1,"twice":2,"fine":3,"bad":null}}', { qos: 1 });
  const letters = await eventually('the dead letters', async () => {
    const { items } = await api.call<{ items: { code: string; message: string; partial: boolean }[] }>(
      'GET',
      `dead-letters?deviceId=${device.id}&limit=100`,
    );
    return items.length >= cases.length + 1 ? items : null;
  });
  expect(letters.length).toBe(cases.length + 1);
  const codes = letters.map(({ code }) => code).reverse();
  for (const [index, [, code]] of cases.entries()) expect(codes[index]).toContain(code);
  expect(letters[0]).toMatchObject({ partial: true });
  const metrics = await eventually('the good metrics', async () => {
    const latest = await api.call<{ metrics: Record<string, { value: unknown }> }>(
      'GET',
      `telemetry/device/${device.id}/latest`,
    );
    return latest.metrics.fine === undefined ? null : latest.metrics;
  });
  expect([metrics.good?.value, metrics.m8999?.value, metrics.twice?.value, metrics.fine?.value]).toEqual([
    1, 8999, 2, 3,
  ]);
  expect(metrics.bad).toBeUndefined();
  await client.endAsync();
});

test('a connection that says nothing is closed after ten seconds; one that never reads harms nobody', async () => {
  const silent = await RawMqtt.open(server.mqtt);
  const half = await RawMqtt.open(server.mqtt);
  half.socket.write(connectPacket('half', device.id, device.token).subarray(0, 5));
  const deaf = await signedIn();
  deaf.socket.pause();
  for (let id = 1; id <= 500; id++)
    deaf.socket.write(publishPacket(topic(), id, Buffer.from(`{"metrics":{"deaf":${id}}}`)));
  await silent.untilClosed(12_000);
  await half.untilClosed(12_000);
  deaf.socket.destroy();
});

test.each([
  ['no JSON', '{', 400],
  ['wrong types', '{"email":5}', 400],
  ['wrong password', '{"email":"admin@fieldline.local","password":"wrong"}', 401],
])('log-in with %s', async (_, body, status) => {
  const answer = await fetch(`${server.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
});

test.each([
  ['GET', 'devices/nobody', 404],
  ['GET', 'devices?limit=-1', 400],
  ['GET', 'telemetry/device/rude-1?metricKey=a&startTime=never', 400],
  ['GET', 'telemetry/device/rude-1?metricKey=a&limit=1000000', 400],
  ['GET', 'telemetry/device/rude-1?metricKey=a&cursor=%00', 400],
  ['GET', 'nowhere', 404],
  ['DELETE', 'devices/nobody', 404],
])('%s %s is answered with a problem', async (method, path, status) => {
  const answer = await api.raw(method, path);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    status,
    expect.stringContaining('application/problem+json'),
  ]);
});

test('through all of it the witness lost nothing and the server is ready', async () => {
  clearInterval(witnessTimer);
  await eventually('the last acknowledgements', () =>
    witness.getLastMessageId() > 0 && Object.keys(witness.outgoing).length === 0 ? true : null,
  );
  await witness.endAsync();
  const samples = await eventually('the witness', async () => {
    const found = await api.samples(witnessDevice.id, 'n', witnessStart, witnessStart + witnessed);
    return found.length === witnessed ? found : null;
  });
  expect(samples.every(([ts, value]) => ts === value)).toBe(true);
  expect(witnessed).toBeGreaterThan(100);
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
});
