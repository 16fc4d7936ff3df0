/** What survives: the journal is copied while the broker runs, as a kill would leave it, and another broker starts on it. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as mqttConnect } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import type { BrokerLimits } from './options.ts';
import { connectClient, HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

const folders: string[] = [];
const brokers: TestBroker[] = [];
const sockets: HexClient[] = [];
const LOGIN = {
  clientId: 'dev-1',
  username: 'dev-1',
  password: 'secret',
  protocolVersion: 5,
  reconnectPeriod: 0,
} as const;
/** Session expiry 100 s, clean start 0. */
const KEEP = '05 11 00000064';

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  for (const { broker } of brokers.splice(0)) await broker.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function start(from?: string, limits: Partial<BrokerLimits> = {}): Promise<{ test: TestBroker; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldline-broker-'));
  folders.push(folder);
  if (from !== undefined) await cp(join(from, 'sessions.journal'), join(folder, 'sessions.journal'));
  const test = await startBroker({ dataDir: folder, limits });
  brokers.push(test);
  return { test, folder };
}

/** Connects without clean start; returns what CONNACK said about the session. */
async function connect(test: TestBroker, deviceId: string): Promise<{ client: HexClient; isPresent: boolean }> {
  const client = new HexClient(test.port);
  sockets.push(client);
  client.send(packetHex('10', `00044d515454 05 c0 0000 ${KEEP} ${text(deviceId)} ${text(deviceId)} ${text('secret')}`));
  await until(() => client.received.length > 4 && client.received.length >= 2 + client.received[1]!, 'CONNACK');
  const isPresent = client.received[2] === 1;
  client.received = client.received.subarray(2 + client.received[1]!);
  return { client, isPresent };
}

function publishHex(topic: string, packetId: string, payload: string, first = '32'): string {
  return packetHex(first, `${text(topic)} ${packetId} 00 ${Buffer.from(payload).toString('hex')}`).replaceAll(' ', '');
}

test('subscriptions, queue, what is in flight, retained messages', async () => {
  const { test: before, folder } = await start();
  const subscriber = (await connect(before, 'dev-1')).client;
  subscriber.send(packetHex('82', `0001 00 ${text('app/#')} 02`));
  await until(() => subscriber.hex.startsWith('90'), 'SUBACK');
  const publish = (topic: string, payload: string, qos: 1 | 2, retain = false) =>
    before.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from(payload), qos, retain });
  await publish('app/1', 'answered', 1);
  await publish('app/2', 'in flight', 1);
  await publish('app/3', 'released', 2);
  await until(() => subscriber.hex.includes(Buffer.from('released').toString('hex')), 'three messages');
  subscriber.send('40020001 50020003');
  await until(() => subscriber.hex.endsWith('62020003'), 'PUBREL');
  subscriber.socket.destroy();
  await until(() => before.events.some((event) => event.type === 'disconnected'), 'disconnected');
  await publish('app/4', 'queued', 1, true);

  const { test: after } = await start(folder);
  expect(after.broker.statistics()).toMatchObject({ sessions: 1, subscriptions: 1, retainedMessages: 1 });
  const { client, isPresent } = await connect(after, 'dev-1');
  expect(isPresent).toBe(true);
  const expected = `${publishHex('app/2', '0002', 'in flight', '3a')}62020003${publishHex('app/4', '0004', 'queued')}`;
  await until(() => client.hex.length >= expected.length, 'what was unfinished');
  expect(client.hex).toBe(expected);
});

test('what was queued for a member of a share goes to another one after a restart', async () => {
  const { test: before, folder } = await start();
  const member = (await connect(before, 'dev-1')).client;
  member.send(packetHex('82', `0001 00 ${text('$share/g/app/#')} 01`));
  await until(() => member.hex.startsWith('90'), 'SUBACK');
  member.socket.destroy();
  await until(() => before.events.some((event) => event.type === 'disconnected'), 'disconnected');
  const payload = Buffer.from('queued');
  await before.broker.publish({ organizationId: 'org-1', topic: 'app/1', payload, qos: 1 });

  const { test: after } = await start(folder);
  const { client } = await connect(after, 'dev-2');
  client.send(packetHex('82', `0001 00 ${text('$share/g/app/#')} 01`));
  await until(() => client.received.includes(payload), 'the message');
  expect((await connect(after, 'dev-1')).isPresent).toBe(true);
});

test('a queue that is longer than what is held in memory: none is lost, in order, before and after a restart', async () => {
  const limits = { queueMemoryBytesMax: 300_000, queueBytesPerSessionMax: 16 * 1024 * 1024 };
  const { test: before, folder } = await start(undefined, limits);
  const options = { clean: false, properties: { sessionExpiryInterval: 100 } };
  const count = 3_000;
  const numbers = (at: TestBroker, from: number, to: number): Promise<void> =>
    Promise.all(
      Array.from({ length: to - from }, (_, index) => {
        const payload = Buffer.alloc(1_500).fill(`${from + index} `);
        return at.broker.publish({ organizationId: 'org-1', topic: 'app/long', payload, qos: 1 });
      }),
    ).then(() => {});
  const client = await connectClient(before, 'dev-1', options);
  await client.subscribeAsync('app/long', { qos: 1 });
  await client.endAsync();
  for (let from = 0; from < count; from += 500) await numbers(before, from, from + 500);
  await until(() => before.broker.statistics().spooledBytes > 2_000_000, 'most of it is on disk');

  for (const test of [before, (await start(folder, limits)).test]) {
    const { spooledBytes, queuedBytes } = test.broker.statistics();
    expect([spooledBytes > 2_000_000, queuedBytes > count * 1_500]).toEqual([true, true]);
    const back = mqttConnect({ host: '127.0.0.1', port: test.port, ...LOGIN, ...options });
    const received: number[] = [];
    back.on('message', (_, payload) => received.push(Number.parseInt(payload.toString('latin1'), 10)));
    await until(() => received.length >= count, 'all of them', 20_000);
    await back.endAsync();
    expect(received).toEqual(Array.from({ length: count }, (_, index) => index));
    await until(() => test.broker.statistics().spooledBytes === 0, 'the disk is free again');
  }
});

test('QoS 2 that was taken is not taken again after a restart, and its packet id is free after PUBCOMP', async () => {
  const { test: before, folder } = await start();
  const device = (await connect(before, 'dev-1')).client;
  for (const id of ['0001', '0002']) device.send(publishHex('v1/telemetry/org-1/dev-1', id, id, '34'));
  await until(() => device.hex === '5002000150020002', 'PUBREC');
  device.send('62020002');
  await until(() => device.hex.endsWith('70020002'), 'PUBCOMP');

  const { test: after } = await start(folder);
  const { client } = await connect(after, 'dev-1');
  client.send(publishHex('v1/telemetry/org-1/dev-1', '0001', 'again', '3c'));
  client.send(publishHex('v1/telemetry/org-1/dev-1', '0002', 'new', '34'));
  await until(() => client.hex === '5002000150020002', 'PUBREC');
  expect(after.records.map((record) => record.payload)).toEqual(['new']);
});

test('what has ended stays ended', async () => {
  const { test: before, folder } = await start();
  const { client } = await connect(before, 'dev-1');
  client.send(packetHex('82', `0001 00 ${text('app/#')} 01`) + packetHex('82', `0002 00 ${text('x')} 01`));
  client.send(packetHex('a2', `0003 00 ${text('x')}`));
  await until(() => client.hex.includes('b004000300'), 'UNSUBACK');
  const other = (await connect(before, 'dev-2')).client;
  other.send(packetHex('e0', '00 05 11 00000000')); // DISCONNECT with session expiry 0
  await other.closed();
  await before.broker.publish({
    organizationId: 'org-1',
    topic: 'app/r',
    payload: Buffer.from('x'),
    qos: 1,
    retain: true,
  });
  await before.broker.publish({
    organizationId: 'org-1',
    topic: 'app/r',
    payload: Buffer.alloc(0),
    qos: 1,
    retain: true,
  });
  const { test: after } = await start(folder);
  expect(after.broker.statistics()).toMatchObject({ sessions: 1, subscriptions: 1, retainedMessages: 0 });
});

test('the journal is rewritten when it has grown, with nothing lost', async () => {
  const { test: before, folder } = await start();
  const { client } = await connect(before, 'dev-1');
  client.send(packetHex('82', `0001 00 ${text('app/#')} 01`));
  await until(() => client.hex.startsWith('90'), 'SUBACK');
  client.socket.destroy();
  await until(() => before.events.some((event) => event.type === 'disconnected'), 'disconnected');
  const payload = Buffer.alloc(200_000);
  for (let i = 0; i < 60; i++) {
    await before.broker.publish({ organizationId: 'org-1', topic: `app/${i % 2}`, payload, qos: 1, retain: true });
  }
  const { test: after } = await start(folder);
  expect(after.broker.statistics()).toMatchObject({
    sessions: 1,
    retainedMessages: 2,
    retainedBytes: before.broker.statistics().retainedBytes,
  });
  const restored = (await connect(after, 'dev-1')).client;
  await until(() => restored.received.includes(Buffer.from('app/1')), 'the queue is there');
});

test('wills of those who were connected are published after a restart, of sessions that end with their connection, too', async () => {
  const { test: before, folder } = await start();
  const watcher = (await connect(before, 'dev-9')).client;
  watcher.send(packetHex('82', `0001 00 ${text('app/wills/#')} 01`));
  await until(() => watcher.hex.startsWith('90'), 'SUBACK');
  const will = (name: string) => ({
    will: { topic: `app/wills/${name}`, payload: Buffer.from('gone'), qos: 1 as const, retain: false },
  });
  const connected = await connectClient(before, 'dev-1', will('clean'));
  const kept = { clean: false, properties: { sessionExpiryInterval: 100 } };
  const alsoConnected = await connectClient(before, 'dev-2', { ...kept, ...will('kept') });
  await (await connectClient(before, 'dev-3', will('polite'))).endAsync();
  await until(() => before.events.some((event) => event.type === 'disconnected'), 'DISCONNECT');
  await before.broker.publish({
    organizationId: 'org-1',
    topic: 'app/flush',
    payload: Buffer.from('x'),
    qos: 1,
    retain: true,
  });

  const { test: after, folder: second } = await start(folder);
  const back = (await connect(after, 'dev-9')).client;
  await until(() => back.received.includes('app/wills/kept'), 'the will of the session that is kept');
  expect(back.received.includes('app/wills/clean')).toBe(true);
  expect(back.received.includes('app/wills/polite')).toBe(false);
  expect(after.broker.statistics().sessions).toBe(2);
  back.send('40020001 40020002');
  await after.broker.publish({
    organizationId: 'org-1',
    topic: 'app/flush',
    payload: Buffer.from('y'),
    qos: 1,
    retain: true,
  });

  const { test: third } = await start(second);
  const again = (await connect(third, 'dev-9')).client;
  again.send('c000');
  await until(() => again.hex.includes('d000'), 'what waits is sent');
  expect(again.received.includes('app/wills')).toBe(false);
  for (const client of [connected, alsoConnected]) client.end(true);
});
