/** What MQTT 5 adds, clause by clause, with a clock that stands still until it is told to move. */
import { ManualClock } from '@fieldline/kit';
import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import type { BrokerLimits } from './options.ts';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
let clock: ManualClock;
const clients: MqttClient[] = [];
const sockets: HexClient[] = [];

async function start(limits: Partial<BrokerLimits> = {}): Promise<void> {
  clock = new ManualClock();
  broker = await startBroker({ clock, limits });
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const { socket } of sockets.splice(0)) socket.destroy();
  await broker.broker.stop();
});

async function client(
  deviceId: string,
  options: IClientOptions = {},
): Promise<{ mqtt: MqttClient; received: IPublishPacket[]; connack: IConnackPacket | undefined }> {
  const login = { clientId: deviceId, username: deviceId, password: 'secret', protocolVersion: 5 as const };
  const mqtt = connect({ host: '127.0.0.1', port: broker.port, reconnectPeriod: 0, ...login, ...options });
  mqtt.on('error', () => {});
  clients.push(mqtt);
  // Before it is connected: what waited for it comes together with CONNACK.
  const received: IPublishPacket[] = [];
  mqtt.on('message', (_topic, _payload, packet) => received.push(packet));
  let connack: IConnackPacket | undefined;
  mqtt.once('connect', (packet) => {
    connack = packet;
  });
  await until(() => mqtt.connected, `${deviceId} is connected`);
  return { mqtt, received, connack };
}

const KEPT: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 1_000 } };
const payloads = (packets: readonly IPublishPacket[]): string => packets.map(({ payload }) => payload).join();

describe('message expiry (3.3.2.3.3)', () => {
  test('in the queue of a client that is away: gone when it is over [MQTT-3.3.2-5], else with what is left [MQTT-3.3.2-6]', async () => {
    await start();
    const before = await client('dev-1', KEPT);
    await before.mqtt.subscribeAsync('app/#', { qos: 1 });
    await before.mqtt.endAsync();
    await until(() => broker.broker.statistics().connections === 0, 'it is away');
    const publisher = await client('dev-2');
    for (const [payload, messageExpiryInterval] of [
      ['short', 2],
      ['long', 60],
    ] as const) {
      await publisher.mqtt.publishAsync('app/x', payload, { qos: 1, properties: { messageExpiryInterval } });
    }
    await publisher.mqtt.publishAsync('app/x', 'for ever', { qos: 1 });
    clock.advanceMs(2_500);
    const after = await client('dev-1', KEPT);
    await until(() => after.received.length === 2, 'two messages');
    expect(payloads(after.received)).toBe('long,for ever');
    expect(after.received[0]!.properties?.messageExpiryInterval).toBe(58);
    expect(after.received[1]!.properties?.messageExpiryInterval).toBeUndefined();
    expect(broker.broker.statistics().dropped.expired).toBe(1);
  });

  test('retained messages: the same', async () => {
    await start();
    const publisher = await client('dev-2');
    const retained = { qos: 1, retain: true } as const;
    await publisher.mqtt.publishAsync('app/a', 'a', { ...retained, properties: { messageExpiryInterval: 2 } });
    await publisher.mqtt.publishAsync('app/b', 'b', { ...retained, properties: { messageExpiryInterval: 60 } });
    clock.advanceMs(2_000);
    const subscriber = await client('dev-1');
    await subscriber.mqtt.subscribeAsync('app/#', { qos: 1 });
    await publisher.mqtt.publishAsync('app/last', 'last', { qos: 1 });
    await until(() => payloads(subscriber.received).endsWith('last'), 'the last message');
    expect(payloads(subscriber.received)).toBe('b,last');
    expect(subscriber.received[0]).toMatchObject({ retain: true, properties: { messageExpiryInterval: 58 } });
  });
});

test.each([
  [3, 100, 3_000],
  [100, 2, 2_000],
])(
  'a will delayed by %i s, session expiry %i s: published then, not before [MQTT-3.1.3-9]',
  async (delayS, expiryS, dueMs) => {
    await start();
    const watcher = await client('dev-2');
    await watcher.mqtt.subscribeAsync('app/#', { qos: 1 });
    const properties = { willDelayInterval: delayS };
    const will = { topic: 'app/gone', payload: Buffer.from('gone'), qos: 1 as const, retain: false, properties };
    const lost = await client('dev-1', { will, properties: { sessionExpiryInterval: expiryS } });
    lost.mqtt.stream.destroy();
    await until(() => broker.broker.statistics().connections === 1, 'the connection is lost');
    const silent = await canary();
    clock.advanceMs(dueMs - 1);
    await silent.closed();
    expect(watcher.received).toEqual([]);
    clock.advanceMs(1);
    await until(() => watcher.received.length === 1, 'the will');
  },
);

/** A client that is silent for longer than its keep-alive of 1 s: when it is closed, the broker has looked at its clock. */
async function canary(): Promise<HexClient> {
  const silent = new HexClient(broker.port);
  sockets.push(silent);
  silent.send(packetHex('10', `00044d515454 04 c2 0001 ${text('c')} ${text('dev-9')} ${text('secret')}`));
  await until(() => silent.received.length === 4, 'CONNACK');
  return silent;
}

test('one PUBLISH carries the identifiers of all subscriptions that it falls under [MQTT-3.3.4-3], [MQTT-3.3.4-4]', async () => {
  await start();
  const subscriber = await client('dev-1');
  await subscriber.mqtt.subscribeAsync('app/#', { qos: 0, properties: { subscriptionIdentifier: 1 } });
  await subscriber.mqtt.subscribeAsync('app/+', { qos: 2, properties: { subscriptionIdentifier: 268_435_455 } });
  await subscriber.mqtt.subscribeAsync('app/x', { qos: 1 });
  const publisher = await client('dev-2');
  await publisher.mqtt.publishAsync('app/x', 'x', { qos: 2 });
  await publisher.mqtt.publishAsync('app/x/y', 'y', { qos: 2 });
  await until(() => subscriber.received.length === 2, 'two messages');
  const [both, one] = subscriber.received.map(({ qos, properties }) => ({
    qos,
    ids: [properties?.subscriptionIdentifier].flat().sort(),
  }));
  expect(both).toEqual({ qos: 2, ids: [1, 268_435_455] });
  expect(one).toEqual({ qos: 0, ids: [1] });
});

test.each([
  [0, ['kept,live', 'kept,live', 'kept,live']],
  [1, ['kept,live', 'live', 'kept,live']],
  [2, ['live', 'live', 'live']],
] as const)(
  'retain handling %i: at a new subscription, at the same one again, at one that was given up before [MQTT-3.3.1-9] to [MQTT-3.3.1-11]',
  async (rh, expected) => {
    await start();
    const publisher = await client('dev-2');
    await publisher.mqtt.publishAsync('app/r', 'kept', { qos: 1, retain: true });
    const subscriber = await client('dev-1');
    const heardAfterSubscribing = async (): Promise<string> => {
      subscriber.received.length = 0;
      await subscriber.mqtt.subscribeAsync('app/#', { qos: 1, rh });
      await publisher.mqtt.publishAsync('app/x', 'live', { qos: 1 });
      await until(() => payloads(subscriber.received).endsWith('live'), 'the live message');
      return payloads(subscriber.received);
    };
    const heard = [await heardAfterSubscribing(), await heardAfterSubscribing()];
    await subscriber.mqtt.unsubscribeAsync('app/#');
    heard.push(await heardAfterSubscribing());
    expect(heard).toEqual(expected);
  },
);

test('session expiry: what is granted instead is told, and kept to (3.2.2.3.2)', async () => {
  await start({ sessionExpiryMaxS: 60 });
  for (const [asked, told] of [
    [3_600, 60],
    [0xffffffff, 60],
    [60, undefined],
    [5, undefined],
  ] as const) {
    const { connack } = await client('dev-1', { properties: { sessionExpiryInterval: asked } });
    expect(connack?.properties?.sessionExpiryInterval).toBe(told);
  }
  const kept = await client('dev-2', { clean: false, properties: { sessionExpiryInterval: 3_600 } });
  await kept.mqtt.endAsync();
  await until(
    () => broker.events.some(({ type, clientId }) => type === 'disconnected' && clientId === 'dev-2'),
    'gone',
  );
  const sessions = (): number => broker.broker.statistics().sessions;
  const before = sessions();
  const silent = await canary();
  clock.advanceMs(59_000);
  await silent.closed();
  expect(sessions()).toBe(before);
  clock.advanceMs(1_001);
  await until(() => sessions() === before - 1, 'the session has ended');
});

test('server keep-alive: told, and kept to (3.2.2.3.14) [MQTT-3.1.2-21]', async () => {
  await start({ keepAliveMaxS: 10 });
  for (const [asked, told] of [
    ['0000', '13000a'],
    ['003c', '13000a'],
    ['0005', ''],
  ] as const) {
    const socket = new HexClient(broker.port);
    sockets.push(socket);
    socket.send(packetHex('10', `00044d515454 05 c2 ${asked} 00 ${text('a')} ${text('dev-1')} ${text('secret')}`));
    await until(() => socket.received.length > 4, 'CONNACK');
    if (told === '') expect(socket.hex).not.toContain('1300');
    else expect(socket.hex).toContain(told);
  }
  const socket = sockets.at(-1)!;
  clock.advanceMs(7_501);
  await socket.closed();
  expect(socket.hex).toMatch(/e0..8d/);
});

describe('maximum packet size of the client: no packet is larger [MQTT-3.1.2-24]', () => {
  const connectWith = async (maximum: number): Promise<HexClient> => {
    const socket = new HexClient(broker.port);
    sockets.push(socket);
    const properties = `05 27 ${maximum.toString(16).padStart(8, '0')}`;
    socket.send(
      packetHex('10', `00044d515454 05 c2 0000 ${properties} ${text('a')} ${text('dev-1')} ${text('secret')}`),
    );
    await until(() => socket.isClosed || socket.received.length > 5, 'an answer');
    return socket;
  };

  test('CONNACK', async () => {
    await start();
    expect((await connectWith(10)).hex).toBe('2003009500');
    expect((await connectWith(4)).hex).toBe('');
    expect((await connectWith(100)).hex).toMatch(/^20..0000/);
  });

  test('SUBACK', async () => {
    await start();
    const socket = await connectWith(20);
    socket.received = Buffer.alloc(0);
    const filters = (count: number): string => `${text('a')} 00`.repeat(count);
    socket.send(packetHex('82', `0001 00 ${filters(15)}`));
    await until(() => socket.hex === `9012000100${'00'.repeat(15)}`, 'SUBACK of 20 bytes');
    socket.received = Buffer.alloc(0);
    socket.send(packetHex('82', `0001 00 ${filters(16)}`));
    await socket.closed();
    expect(socket.hex).toBe('e00195');
  });
});
