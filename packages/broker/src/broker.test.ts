/** The broker with real clients (mqtt.js, both versions) over real sockets. */

import { Metrics } from '@fieldline/kit';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectClient, HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
const clients: MqttClient[] = [];

beforeEach(async () => {
  broker = await startBroker();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await broker.broker.stop();
});

async function client(
  ...args: Parameters<typeof connectClient> extends [unknown, ...infer R] ? R : never
): Promise<MqttClient> {
  const connected = await connectClient(broker, ...args);
  connected.on('error', () => {});
  clients.push(connected);
  return connected;
}

function collect(from: MqttClient): { topic: string; payload: string; packet: IPublishPacket }[] {
  const messages: { topic: string; payload: string; packet: IPublishPacket }[] = [];
  from.on('message', (topic, payload, packet) => messages.push({ topic, payload: payload.toString(), packet }));
  return messages;
}

describe.each([4, 5] as const)('MQTT protocol version %i', (protocolVersion) => {
  test.each([0, 1, 2] as const)('QoS %i into the log', async (qos) => {
    const device = await client('dev-1', { protocolVersion });
    for (let i = 0; i < 50; i++) device.publish('v1/telemetry/org-1/dev-1', `message ${i}`, { qos });
    await device.publishAsync('v1/telemetry/org-1/dev-1', 'last', { qos });
    await until(() => broker.records.length === 51, '51 records');
    expect(broker.records.map((record) => record.payload)).toEqual([
      ...Array.from({ length: 50 }, (_, i) => `message ${i}`),
      'last',
    ]);
  });

  test.each([0, 1, 2] as const)('QoS %i between clients', async (qos) => {
    const publisher = await client('dev-1', { protocolVersion });
    const subscriber = await client('dev-2', { protocolVersion });
    const messages = collect(subscriber);
    await subscriber.subscribeAsync('app/+/x/#', { qos });
    for (let i = 0; i < 300; i++) publisher.publish(`app/org-1/x/${i % 3}`, `${i}`, { qos });
    await until(() => messages.length === 300, '300 messages');
    expect(messages.map((message) => message.payload)).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`));
    expect(messages.every((message) => message.packet.qos === qos)).toBe(true);
  });

  test('an acknowledgement waits until the append is durable', async () => {
    const gate = Promise.withResolvers<void>();
    broker.beforeAppend = () => gate.promise;
    const device = await client('dev-1', { protocolVersion });
    let isAcknowledged = false;
    const done = device.publishAsync('v1/telemetry/org-1/dev-1', 'x', { qos: 1 }).then(() => {
      isAcknowledged = true;
    });
    await until(() => broker.broker.statistics().pendingBytes > 0, 'the broker has the message');
    await device.subscribeAsync('app/ping'); // a whole round trip: an early PUBACK would have been here
    expect(isAcknowledged).toBe(false);
    gate.resolve();
    await done;
    expect(broker.records).toHaveLength(1);
  });

  test('retained messages: kept, sent to a new subscriber, taken away', async () => {
    const publisher = await client('dev-1', { protocolVersion });
    await publisher.publishAsync('app/state', 'on', { qos: 1, retain: true });
    const subscriber = await client('dev-2', { protocolVersion });
    const messages = collect(subscriber);
    await subscriber.subscribeAsync('app/#', { qos: 1 });
    await until(() => messages.length === 1, 'the retained message');
    expect(messages[0]).toMatchObject({ topic: 'app/state', payload: 'on', packet: { retain: true } });
    await publisher.publishAsync('app/state', '', { qos: 1, retain: true });
    expect(broker.broker.statistics().retainedMessages).toBe(0);
  });

  test('the will is published when the connection is lost, not after DISCONNECT', async () => {
    const subscriber = await client('dev-2', { protocolVersion });
    const messages = collect(subscriber);
    await subscriber.subscribeAsync('app/wills/#', { qos: 1 });
    const polite = await client('dev-3', {
      protocolVersion,
      will: { topic: 'app/wills/3', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    await polite.endAsync();
    const rude = await client('dev-1', {
      protocolVersion,
      will: { topic: 'app/wills/1', payload: Buffer.from('gone'), qos: 1, retain: false },
    });
    rude.stream.destroy();
    await until(() => messages.length > 0, 'the will');
    expect(messages.map((message) => message.topic)).toEqual(['app/wills/1']);
  });

  test('a second connection takes the session over', async () => {
    const first = await client('dev-1', { protocolVersion, clean: false, properties: { sessionExpiryInterval: 100 } });
    await first.subscribeAsync('app/x', { qos: 1 });
    const closed = new Promise<void>((resolve) => first.once('close', () => resolve()));
    const reasons: (number | undefined)[] = [];
    first.on('disconnect', (packet) => reasons.push(packet.reasonCode));
    const second = await client('dev-1', { protocolVersion, clean: false, properties: { sessionExpiryInterval: 100 } });
    await closed;
    expect(reasons).toEqual(protocolVersion === 5 ? [0x8e] : []);
    const messages = collect(second);
    await broker.broker.publish({ organizationId: 'org-1', topic: 'app/x', payload: Buffer.from('hello'), qos: 1 });
    await until(() => messages.length === 1, 'the subscription is still there');
  });

  test('a persistent session gets what came while it was away', async () => {
    const options = { protocolVersion, clean: false, properties: { sessionExpiryInterval: 100 } };
    const before = await client('dev-2', options);
    await before.subscribeAsync('app/x', { qos: 2 });
    await before.endAsync();
    const publisher = await client('dev-1', { protocolVersion });
    for (const qos of [0, 1, 2] as const) await publisher.publishAsync('app/x', `qos ${qos}`, { qos });
    const messages: string[] = [];
    const { connect } = await import('mqtt');
    const after = connect({
      ...options,
      host: '127.0.0.1',
      port: broker.port,
      clientId: 'dev-2',
      username: 'dev-2',
      password: 'secret',
      reconnectPeriod: 0,
    });
    clients.push(after);
    after.on('message', (_, payload) => messages.push(payload.toString()));
    await until(() => messages.length === 2, 'both kept messages');
    expect(messages).toEqual(['qos 1', 'qos 2']);
  });

  test('a wrong token is refused', async () => {
    await expect(client('dev-1', { protocolVersion, password: 'wrong' })).rejects.toMatchObject({
      code: protocolVersion === 5 ? 0x86 : 4,
    });
    expect(broker.events).toMatchObject([{ type: 'refused', reasonCode: 0x86 }]);
  });

  test('a filter that is not allowed is refused, the others are granted', async () => {
    const device = await client('dev-1', { protocolVersion });
    const codes = await new Promise((resolve) => {
      device.on('packetreceive', (packet) => packet.cmd === 'suback' && resolve(packet.granted));
      device.subscribe(['secret/x', 'app/x'], { qos: 1 }, () => {});
    });
    expect(codes).toEqual(protocolVersion === 5 ? [0x87, 1] : [0x80, 1]);
  });
});

test('connecting and disconnecting are told', async () => {
  const device = await client('dev-1');
  await device.endAsync();
  await until(() => broker.events.length === 2, 'two events');
  expect(broker.events).toMatchObject([
    { type: 'connected', clientId: 'dev-1', identity: { deviceId: 'dev-1' } },
    { type: 'disconnected', clientId: 'dev-1', reasonCode: 0 },
  ]);
});

test('a topic of another device is refused with 0x87; a 3.1.1 client is closed', async () => {
  const modern = await client('dev-1');
  await expect(modern.publishAsync('v1/telemetry/org-1/dev-2', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
  const old = await client('dev-2', { protocolVersion: 4 });
  const closed = new Promise<void>((resolve) => old.once('close', () => resolve()));
  old.publish('v1/telemetry/org-1/dev-1', 'x', { qos: 1 });
  await closed;
  expect(broker.records).toEqual([]);
  expect(broker.broker.statistics().messagesRefused).toBe(2);
});

test('organisations do not hear each other', async () => {
  const here = await client('dev-1');
  const there = await client('dev-2', { username: 'dev-2@org-2' });
  const [heardHere, heardThere] = [collect(here), collect(there)];
  await here.subscribeAsync('#');
  await there.subscribeAsync('#');
  await here.publishAsync('app/x', 'from here', { qos: 1, retain: true });
  await there.publishAsync('app/x', 'from there', { qos: 1 });
  await until(() => heardHere.length > 0 && heardThere.length > 0, 'one message each');
  expect(heardHere.map((message) => message.payload)).toEqual(['from here']);
  expect(heardThere.map((message) => message.payload)).toEqual(['from there']);
});

test('MQTT 5: properties pass through, identifiers and options are honoured', async () => {
  const publisher = await client('dev-1');
  const subscriber = await client('dev-2');
  const messages = collect(subscriber);
  await subscriber.subscribeAsync('app/a', { qos: 1, properties: { subscriptionIdentifier: 7 } });
  await subscriber.subscribeAsync('app/+', {
    qos: 0,
    rap: true,
    nl: true,
    properties: { subscriptionIdentifier: 300 },
  });
  await publisher.publishAsync('app/a', 'x', {
    qos: 1,
    retain: true,
    properties: {
      contentType: 'text/plain',
      responseTopic: 'app/r',
      correlationData: Buffer.from([1, 2]),
      userProperties: { k: ['v1', 'v2'] },
      messageExpiryInterval: 60,
    },
  });
  await until(() => messages.length === 1, 'one message');
  const { packet } = messages[0]!;
  expect(packet).toMatchObject({ qos: 1, retain: true });
  expect(packet.properties).toMatchObject({
    contentType: 'text/plain',
    responseTopic: 'app/r',
    correlationData: Buffer.from([1, 2]),
    messageExpiryInterval: 60,
  });
  expect(packet.properties?.userProperties).toEqual({ k: ['v1', 'v2'] });
  expect([packet.properties?.subscriptionIdentifier].flat().sort()).toEqual([300, 7]);
  await subscriber.publishAsync('app/b', 'own', { qos: 1 });
  await publisher.publishAsync('app/b', 'other', { qos: 1 });
  await until(() => messages.length === 2, 'the second message');
  expect(messages[1]!.payload).toBe('other');
});

test('MQTT 5: an empty client id is assigned one', async () => {
  const raw = new HexClient(broker.port);
  raw.send(packetHex('10', `00044d515454 05 c2 0000 00 ${text('')} ${text('dev-1')} ${text('secret')}`));
  await until(() => raw.received.length > 0, 'CONNACK');
  expect(broker.events[0]!.clientId).toMatch(/^auto-/);
  expect(raw.hex).toContain(`12${text(broker.events[0]!.clientId)}`); // property 18: assigned client identifier
  raw.socket.destroy();
});

test('shared subscriptions: each message goes to one member', async () => {
  const members = await Promise.all(['dev-2', 'dev-3'].map((id) => client(id)));
  const heard = members.map(collect);
  for (const member of members) await member.subscribeAsync('$share/workers/app/jobs', { qos: 1 });
  const publisher = await client('dev-1');
  for (let i = 0; i < 20; i++) await publisher.publishAsync('app/jobs', `${i}`, { qos: 1 });
  await until(() => heard.flat().length === 20, '20 messages in all');
  expect(heard.map((messages) => messages.length)).toEqual([10, 10]);
});

test('a will with a delay is not published where the client comes back in time', async () => {
  const subscriber = await client('dev-2');
  const messages = collect(subscriber);
  await subscriber.subscribeAsync('app/wills/#', { qos: 1 });
  const options = { clean: false, properties: { sessionExpiryInterval: 100 } };
  const will = (delay: number) => ({
    topic: `app/wills/${delay}`,
    payload: Buffer.from('gone'),
    qos: 1 as const,
    retain: false,
    properties: { willDelayInterval: delay },
  });
  const late = await client('dev-1', { ...options, will: will(60) });
  late.stream.destroy();
  await until(() => broker.events.some((event) => event.type === 'disconnected'), 'the loss was seen');
  await client('dev-1', options);
  const soon = await client('dev-3', { ...options, will: will(1) });
  soon.stream.destroy();
  await until(() => messages.length > 0, 'the will with a delay of 1 s');
  expect(messages.map((message) => message.topic)).toEqual(['app/wills/1']);
});

test('revocation ends the connection at once', async () => {
  const device = await client('dev-1');
  const reasons: (number | undefined)[] = [];
  device.on('disconnect', (packet) => reasons.push(packet.reasonCode));
  const closed = new Promise<void>((resolve) => device.once('close', () => resolve()));
  const dev1 = { organizationId: 'org-1', deviceId: 'dev-1' };
  expect(broker.broker.disconnectDevice(dev1, 0x98, 'the certificate was revoked')).toBe(1);
  await closed;
  expect(reasons).toEqual([0x98]);
});

test('a device of the same id in another organisation goes on', async () => {
  const device = await client('dev-1', { username: 'dev-1@org-2' });
  expect(broker.broker.disconnectDevice({ organizationId: 'org-1', deviceId: 'dev-1' }, 0x98, 'revoked')).toBe(0);
  await device.publishAsync('app/x', 'x', { qos: 1 });
  expect(broker.broker.statistics()).toMatchObject({ connections: 1, sessions: 1 });
});

test('stopping acknowledges what is durable and says 0x8B', async () => {
  const device = await client('dev-1');
  const reasons: (number | undefined)[] = [];
  device.on('disconnect', (packet) => reasons.push(packet.reasonCode));
  const done = device.publishAsync('v1/telemetry/org-1/dev-1', 'x', { qos: 1 });
  await until(() => broker.broker.statistics().messagesReceived === 1, 'the message is in');
  await broker.broker.stop();
  await done;
  await until(() => reasons.length === 1, 'DISCONNECT');
  expect(reasons).toEqual([0x8b]);
});

test("route 'both': into the log and to clients; one acknowledgement, after the log", async () => {
  await broker.broker.stop();
  const origin = {
    organizationId: 'org-1',
    deviceId: 'dev-1',
    topic: 't',
    codec: 'json',
    source: 'mqtt',
    mappingVersion: 1,
  } as const;
  broker = await startBroker({ route: () => ({ to: 'both', origin }) });
  const subscriber = await client('dev-2');
  const messages = collect(subscriber);
  await subscriber.subscribeAsync('t', { qos: 1 });
  const device = await client('dev-1', { will: { topic: 't', payload: Buffer.from('gone'), qos: 1, retain: false } });
  await device.publishAsync('t', 'x', { qos: 2 });
  expect(broker.records).toHaveLength(1);
  device.stream.destroy();
  await until(() => broker.records.length === 2 && messages.length === 2, 'the will, in the log and at the subscriber');
  expect(broker.records.map((record) => record.payload)).toEqual(['x', 'gone']);
});

test('routes are asked for once a topic, and again after forgetRoutes()', async () => {
  await broker.broker.stop();
  const asked: string[] = [];
  broker = await startBroker({
    route: (_, topic) => {
      asked.push(topic);
      return asked.length > 1 ? { to: 'refused', reasonCode: 0x87, reason: 'no more' } : { to: 'clients' };
    },
  });
  const device = await client('dev-1');
  await device.publishAsync('a', 'x', { qos: 1 });
  await device.publishAsync('a', 'x', { qos: 1 });
  expect(asked).toEqual(['a']);
  broker.broker.forgetRoutes();
  await expect(device.publishAsync('a', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
});

test('the metrics tell what happened', async () => {
  await broker.broker.stop();
  const metrics = new Metrics();
  broker = await startBroker({ metrics });
  const device = await client('dev-1');
  await device.subscribeAsync('app/#');
  await device.publishAsync('app/x', 'x', { qos: 1 });
  await device.publishAsync('v1/telemetry/org-1/dev-1', 'x', { qos: 1 });
  const connected = await metrics.registry.metrics();
  expect(connected).toContain('mqtt_connections 1');
  await broker.broker.stop();
  const text = await metrics.registry.metrics();
  for (const line of [
    'mqtt_messages_received_total 2',
    'mqtt_messages_sent_total 1',
    'mqtt_records_committed_total 1',
    'mqtt_connections 0',
  ]) {
    expect(text).toContain(line);
  }
});

test('a subscription that is not allowed any more is gone when the client comes back', async () => {
  await broker.broker.stop();
  let isAllowed = true;
  broker = await startBroker({
    maySubscribe: () => (isAllowed ? { allowed: true } : { allowed: false, reasonCode: 0x87, reason: 'not any more' }),
  });
  const options = { clean: false, properties: { sessionExpiryInterval: 100 } };
  const before = await client('dev-1', options);
  await before.subscribeAsync('app/x');
  await before.endAsync();
  expect(broker.broker.statistics().subscriptions).toBe(1);
  isAllowed = false;
  await client('dev-1', options);
  expect(broker.broker.statistics()).toMatchObject({ sessions: 1, subscriptions: 0 });
});

test('stopping while a client keeps publishing: whatever was acknowledged is in the log', async () => {
  const device = await client('dev-1');
  const acknowledged: number[] = [];
  let isStopped = false;
  const publishAll = (async () => {
    for (let i = 0; !isStopped; i++) {
      device.publish('v1/telemetry/org-1/dev-1', `${i}`, { qos: 1 }, (error) => !error && acknowledged.push(i));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await until(() => acknowledged.length > 50, 'traffic');
  await broker.broker.stop();
  isStopped = true;
  await publishAll;
  const logged = new Set(broker.records.map((record) => record.payload));
  expect(acknowledged.filter((i) => !logged.has(`${i}`))).toEqual([]);
});
