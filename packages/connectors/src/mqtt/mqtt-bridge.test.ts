/** The bridge against a real broker over real sockets; the log is one that a test can slow down or break. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, createBroker } from '@fieldline/broker';
import { Metrics, silentLogger, systemClock } from '@fieldline/kit';
import { DirectoryCache, originOf, payloadOf, type RawBatch } from '@fieldline/model';
import { connectAsync, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MqttBridgeOptions } from './bridge-options.ts';
import { MqttBridge } from './mqtt-bridge.ts';
import { RememberedSessions } from './remembered-sessions.ts';
import { routeForeignPublication } from './route-publication.ts';

const ORGANIZATION = '0f9a0000-0000-7000-8000-000000000001';
const PRESS = '0f9a0000-0000-7000-8000-0000000000aa';

interface Logged {
  readonly deviceId: string;
  readonly topic: string;
  readonly payload: string;
  readonly mappingId: string | undefined;
}

let broker: Broker;
let port: number;
let bridge: MqttBridge | null;
let logged: Logged[];
let beforeAppend: () => Promise<void>;
let folder: string;
const endings: (() => unknown)[] = [];
const sessionsFile = (): string => join(folder, 'connectors', 'mqtt-bridge.json');

const directory = new DirectoryCache({
  version: 1,
  organizations: [{ id: ORGANIZATION, slug: 'plant', autoRegistration: false }],
  devices: [
    {
      id: PRESS,
      organizationId: ORGANIZATION,
      key: 'press-4',
      name: 'Press 4',
      kind: 'machine',
      siteId: null,
      lifecycle: 'active',
      tokenSha256: null,
      gatewayId: null,
    },
  ],
  mappings: [
    {
      id: 'm-json',
      organizationId: null,
      name: 'JSON',
      pattern: 'v1/telemetry/{organization}/{device}',
      codec: 'json',
      device: '{device}',
      metric: '{metric}',
      priority: 0,
      enabled: true,
    },
  ],
  series: [],
});

function startBroker(atPort = 0): Promise<void> {
  broker = createBroker({
    listeners: { tcp: [{ host: '127.0.0.1', port: atPort }] },
    dataDir: null,
    authenticate: ({ userName }) =>
      userName === 'stranger'
        ? { accepted: false, reasonCode: 0x87, reason: 'not you' }
        : { accepted: true, identity: { organizationId: 'o', deviceId: userName ?? '', kind: 'service' } },
    route: () => ({ to: 'clients' }),
    maySubscribe: (_, filter) =>
      filter.endsWith('secret/#') ? { allowed: false, reasonCode: 0x87, reason: 'secret' } : { allowed: true },
    appendToLog: async () => {},
  });
  endings.push(() => broker.stop());
  return broker.start().then(() => {
    port = broker.addresses()[0]!.port;
  });
}

function options(overrides: Partial<MqttBridgeOptions> = {}): MqttBridgeOptions {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    userName: 'bridge',
    password: 'secret',
    tls: {},
    clientId: 'fieldline',
    filters: ['v1/telemetry/#', 'other/#'],
    shareGroup: 'bridge-group',
    connections: 1,
    receiveMaximum: 100,
    sessionExpiryS: 3600,
    keepAliveS: 30,
    packetBytesMax: 1_000_000,
    pendingBytesMax: 1_000_000,
    sessions: new RememberedSessions(sessionsFile()),
    route: (topic) => routeForeignPublication(directory, ORGANIZATION, topic),
    appendToLog: async (batch) => {
      await beforeAppend();
      logged.push(...recordsOf(batch));
    },
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
    ...overrides,
  };
}

async function startBridge(overrides: Partial<MqttBridgeOptions> = {}): Promise<MqttBridge> {
  bridge = new MqttBridge(options(overrides));
  await bridge.start();
  return bridge;
}

function recordsOf(batch: RawBatch): Logged[] {
  return Array.from({ length: batch.count }, (_, index) => {
    const { deviceId, topic, mappingId } = originOf(batch, index);
    return { deviceId, topic, mappingId, payload: Buffer.from(payloadOf(batch, index)).toString() };
  });
}

async function until(condition: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const subscribed = (): Promise<void> => until(() => bridge!.health().ready, 'the bridge is subscribed');

async function machine(): Promise<MqttClient> {
  const client = await connectAsync({ host: '127.0.0.1', port, protocolVersion: 5, username: 'machine' });
  client.on('error', () => {}); // The broker is stopped on purpose.
  endings.push(() => client.endAsync(true));
  return client;
}

beforeEach(async () => {
  logged = [];
  beforeAppend = async () => {};
  bridge = null;
  folder = mkdtempSync(join(tmpdir(), 'fieldline-bridge-'));
  await startBroker();
});

afterEach(async () => {
  await bridge?.stop();
  for (const end of endings.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true });
});

describe('from the external broker into the log', () => {
  test('each message once, with its device, topic and mapping', async () => {
    await startBridge();
    await subscribed();
    const client = await machine();
    await client.publishAsync('v1/telemetry/plant/press-4', '{"metrics":{"a":1}}', { qos: 1 });
    await client.publishAsync('v1/telemetry/plant/new-1', '{"metrics":{"a":2}}', { qos: 0 });
    await client.publishAsync('v1/telemetry/plant/press-4', '', { qos: 2 });
    await until(() => logged.length === 3, 'all three');
    const press = { deviceId: PRESS, topic: 'v1/telemetry/plant/press-4', mappingId: 'm-json' };
    expect(logged).toEqual([
      { ...press, payload: '{"metrics":{"a":1}}' },
      { deviceId: 'new-1', topic: 'v1/telemetry/plant/new-1', mappingId: 'm-json', payload: '{"metrics":{"a":2}}' },
      { ...press, payload: '' },
    ]);
  });

  test('what belongs to nobody is kept, for a dead letter: no mapping, another organisation', async () => {
    await startBridge();
    await subscribed();
    const client = await machine();
    await client.publishAsync('other/thing', 'x', { qos: 1 });
    await client.publishAsync('v1/telemetry/rival/press-4', 'y', { qos: 1 });
    await until(() => logged.length === 2, 'both');
    expect(logged).toMatchObject([
      { topic: 'other/thing', mappingId: '' },
      { topic: 'v1/telemetry/rival/press-4', mappingId: 'm-json' },
    ]);
    expect(routeForeignPublication(directory, ORGANIZATION, 'v1/telemetry/rival/press-4').reasonCode).toBe(0x87);
    expect(routeForeignPublication(directory, ORGANIZATION, `v1/telemetry/${ORGANIZATION}/x`).reasonCode).toBe(0);
  });

  test('several bridges of one share divide the messages', async () => {
    await startBridge({ connections: 4 });
    await subscribed();
    const client = await machine();
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        client.publishAsync(`v1/telemetry/plant/press-${index}`, `${index}`, { qos: 1 }),
      ),
    );
    await until(() => logged.length >= 200, 'all of them');
    expect(new Set(logged.map(({ payload }) => payload)).size).toBe(200);
    expect(logged).toHaveLength(200);
  });
});

describe('nothing is lost', () => {
  test('no acknowledgement before the log has it: what a failing log does not take is sent again', async () => {
    let isBroken = true;
    let attempts = 0;
    beforeAppend = async () => {
      attempts += 1;
      if (isBroken) throw new Error('disk full');
    };
    await startBridge({ receiveMaximum: 5 });
    await subscribed();
    const client = await machine();
    for (let index = 0; index < 20; index++) {
      await client.publishAsync('v1/telemetry/plant/press-4', `${index}`, { qos: 1 });
    }
    await until(() => attempts > 2, 'the log is tried again');
    expect(bridge!.health()).toMatchObject({ ready: false, problem: expect.stringContaining('disk full') });
    expect(broker.statistics().queuedBytes).toBeGreaterThan(0);
    isBroken = false;
    await until(() => logged.length === 20, 'everything');
    expect(logged.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 20 }, (_, index) => index));
    await until(() => broker.statistics().queuedBytes === 0, 'all is acknowledged');
    expect(bridge!.health().ready).toBe(true);
  });

  test('what comes while the bridge is away waits for it at the broker', async () => {
    await startBridge();
    await subscribed();
    await bridge!.stop();
    const client = await machine();
    for (let index = 0; index < 10; index++) {
      await client.publishAsync('v1/telemetry/plant/press-4', `${index}`, { qos: 1 });
    }
    await startBridge();
    await until(() => logged.length === 10, 'what waited');
  });

  test('a stop with messages under way: each is acknowledged and in the log, or neither', async () => {
    const gate = Promise.withResolvers<void>();
    beforeAppend = () => gate.promise;
    await startBridge({ receiveMaximum: 10 });
    await subscribed();
    const client = await machine();
    for (let index = 0; index < 30; index++) {
      await client.publishAsync('v1/telemetry/plant/press-4', `${index}`, { qos: 1 });
    }
    const stopped = bridge!.stop();
    gate.resolve();
    await stopped;
    const before = logged.length;
    expect(before).toBeGreaterThan(0);
    await startBridge();
    await until(() => new Set(logged.map(({ payload }) => payload)).size === 30, 'the rest');
    expect(logged).toHaveLength(30);
  });

  test('a log that is slow: the bridge reads no further than its budget', async () => {
    const gate = Promise.withResolvers<void>();
    beforeAppend = () => gate.promise;
    const metrics = new Metrics();
    await startBridge({ pendingBytesMax: 50_000, receiveMaximum: 60_000, metrics });
    await subscribed();
    const client = await machine();
    for (let index = 0; index < 100; index++) {
      await client.publishAsync('v1/telemetry/plant/press-4', Buffer.alloc(10_000, 0x61), { qos: 0 });
    }
    const pending = async (): Promise<number> =>
      (await metrics.registry.getSingleMetric('bridge_pending_bytes')!.get()).values[0]!.value;
    const deadline = Date.now() + 5_000;
    while ((await pending()) < 50_000 && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    expect(await pending()).toBeGreaterThanOrEqual(50_000);
    // A read of 64 KiB may come on top.
    expect(await pending()).toBeLessThan(50_000 + 80_000);
    gate.resolve();
    await until(() => logged.length === 100, 'everything in the end');
  });
});

describe('settings that change', () => {
  test('a filter that is not asked for any more is given up at the broker; another share takes over', async () => {
    await startBridge({ filters: ['a/#', 'b/#'] });
    await subscribed();
    await bridge!.stop();
    const client = await machine();
    await client.publishAsync('a/1', 'while it was away', { qos: 1 });
    await startBridge({ filters: ['b/#'], shareGroup: 'another' });
    await until(() => remembered().join() === '$share/another/b/#', 'what is not wanted is given up');
    await client.publishAsync('a/1', 'not asked for', { qos: 1 });
    await client.publishAsync('b/1', 'once', { qos: 1 });
    await until(() => logged.length >= 2, 'what waited, and what is asked for');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(logged.map(({ payload }) => payload)).toEqual(['while it was away', 'once']);
    expect(broker.statistics().subscriptions).toBe(1);
  });

  test('sessions that are not needed any more are emptied and ended', async () => {
    await startBridge({ connections: 3 });
    await subscribed();
    await bridge!.stop();
    const client = await machine();
    for (let index = 0; index < 30; index++) {
      await client.publishAsync(`v1/telemetry/plant/press-${index}`, `${index}`, { qos: 1 });
    }
    await startBridge({ connections: 1, clientId: 'renamed' });
    await until(() => new Set(logged.map(({ payload }) => payload)).size === 30, 'what waited in all of them');
    await until(() => broker.statistics().sessions === 2, 'the bridge and the machine are left');
    await client.publishAsync('v1/telemetry/plant/press-4', 'on', { qos: 1 });
    await until(() => logged.at(-1)?.payload === 'on', 'the one that is left takes everything');
    expect(logged).toHaveLength(31);
    await until(() => sessionNames().join() === 'renamed-1', 'that is noted');
  });

  test('a list of sessions that cannot be read is told, with what to do', () => {
    new RememberedSessions(sessionsFile()); // None yet.
    writeFileSync(join(folder, 'list'), '{"version":1');
    expect(() => new RememberedSessions(join(folder, 'list'))).toThrow(/list: .*Move it away/);
    writeFileSync(join(folder, 'list'), '{"version":9}');
    expect(() => new RememberedSessions(join(folder, 'list'))).toThrow(/version 9 is not known/);
  });

  const file = (): { sessions: { clientId: string; subscriptions: string[] }[] } =>
    JSON.parse(readFileSync(sessionsFile(), 'utf8')) as ReturnType<typeof file>;
  const remembered = (): string[] => file().sessions.flatMap(({ subscriptions }) => subscriptions);
  const sessionNames = (): string[] => file().sessions.map(({ clientId }) => clientId);
});

describe('the other side', () => {
  test('is not there at first, goes away, comes back', async () => {
    const before = port;
    await broker.stop();
    await startBridge({ url: `mqtt://127.0.0.1:${before}` });
    await until(() => bridge!.health().problem?.includes('ECONNREFUSED') === true, 'the refusal is told');
    await startBroker(before);
    await subscribed();
    await broker.stop();
    await until(() => !bridge!.health().ready, 'it is away');
    expect(bridge!.health().problem).toMatch(/^external broker mqtt:\/\/127\.0\.0\.1:\d+: /);
    await startBroker(before);
    await subscribed();
    await (await machine()).publishAsync('v1/telemetry/plant/press-4', 'again', { qos: 1 });
    await until(() => logged.length === 1, 'a message after all that');
  });

  test.each([
    ['does not know us', { userName: 'stranger' }, /refused the connection: 0x87 \(not you\)/],
    [
      'forbids a filter',
      { filters: ['a/#', 'secret/#'] },
      /refused the subscription to \$share\/bridge-group\/secret\/#/,
    ],
  ])('%s', async (_, overrides, sentence) => {
    await startBridge(overrides);
    await until(() => sentence.test(bridge!.health().problem ?? ''), 'the reason is told');
  });

  test.each<[string, (packet: Packet) => Buffer | null, RegExp]>([
    ['speaks no MQTT', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /what is not MQTT 5|nobody asked for/],
    [
      'has no shared subscriptions',
      ({ cmd }) => (cmd === 'connect' ? connack({ sharedSubscriptionAvailable: false }) : null),
      /no shared subscriptions/,
    ],
    [
      'sends QoS 2',
      answering(
        generate(
          { cmd: 'publish', topic: 'v1/x', payload: 'x', qos: 2, messageId: 7, dup: false, retain: false },
          FIVE(),
        ),
      ),
      /QoS 2/,
    ],
    [
      'sends a packet that is too large',
      answering(Buffer.concat([Buffer.from('30ffffff7f', 'hex'), Buffer.alloc(1_200_000)])),
      /more than 1000000 bytes/,
    ],
    ['says goodbye with a reason', answering(generate({ cmd: 'disconnect', reasonCode: 0x8b }, FIVE())), /0x8B/],
  ])('%s', async (_, answer, sentence) => {
    const rogue = await startRogue(answer);
    await startBridge({ url: `mqtt://127.0.0.1:${portOf(rogue)}` });
    await until(() => sentence.test(bridge!.health().problem ?? ''), `${sentence}: ${bridge!.health().problem}`);
    expect(logged).toHaveLength(0);
  });

  test('a connection that falls silent is given up and made again', async () => {
    let connects = 0;
    const rogue = await startRogue((packet) => {
      if (packet.cmd === 'connect') connects += 1;
      if (packet.cmd === 'connect') return connack({ serverKeepAlive: 1 });
      return packet.cmd === 'subscribe' ? suback(packet.messageId!) : null; // No PINGRESP ever.
    });
    await startBridge({ url: `mqtt://127.0.0.1:${portOf(rogue)}` });
    await until(() => connects >= 2, 'a second connection');
  });

  test('a message that names another organisation: its acknowledgement says 0x87', async () => {
    const codes: (number | undefined)[] = [];
    const rogue = await startRogue((packet) => {
      if (packet.cmd === 'connect') return connack({});
      if (packet.cmd === 'puback') codes.push(packet.reasonCode);
      return packet.cmd === 'subscribe'
        ? Buffer.concat([suback(packet.messageId!), publish(1, 'v1/telemetry/rival/press-4'), publish(2)])
        : null;
    });
    await startBridge({ url: `mqtt://127.0.0.1:${portOf(rogue)}` });
    await until(() => codes.length === 2, 'both are acknowledged');
    expect(codes).toEqual([0x87, 0]);
    expect(logged).toHaveLength(2);
  });

  test('acknowledgements of a connection that broke do not reach the next one', async () => {
    const gate = Promise.withResolvers<void>();
    beforeAppend = () => gate.promise;
    const acknowledged: number[] = [];
    let connects = 0;
    const rogue = await startRogue((packet, drop) => {
      if (packet.cmd === 'connect') {
        connects += 1;
        return connack({});
      }
      if (packet.cmd === 'puback') acknowledged.push(packet.messageId!);
      if (packet.cmd !== 'subscribe') return null;
      if (connects > 1) return suback(packet.messageId!);
      setTimeout(drop, 50);
      return Buffer.concat([suback(packet.messageId!), publish(9)]);
    });
    await startBridge({ url: `mqtt://127.0.0.1:${portOf(rogue)}` });
    await until(() => connects === 2 && bridge!.health().ready, 'the next connection');
    gate.resolve();
    await until(() => logged.length === 1, 'the message is in the log');
    await new Promise((resolve) => setImmediate(resolve));
    expect(acknowledged).toEqual([]);
  });
});

function FIVE(): { protocolVersion: 5 } {
  return { protocolVersion: 5 };
}

const connack = (properties: object): Buffer =>
  generate({ cmd: 'connack', sessionPresent: false, reasonCode: 0, properties }, FIVE());
const suback = (messageId: number): Buffer => generate({ cmd: 'suback', messageId, granted: [1, 1] }, FIVE());
const publish = (messageId: number, topic = 'v1/telemetry/plant/press-4'): Buffer =>
  generate({ cmd: 'publish', topic, payload: 'x', qos: 1, messageId, dup: false, retain: false }, FIVE());

/** Lets the bridge in, and sends these bytes behind its SUBACK. */
function answering(bytes: Buffer): (packet: Packet) => Buffer | null {
  return (packet) => {
    if (packet.cmd === 'connect') return connack({});
    return packet.cmd === 'subscribe' ? Buffer.concat([suback(packet.messageId!), bytes]) : null;
  };
}

/** A server that answers each packet with what it is told. */
async function startRogue(answer: (packet: Packet, drop: () => void) => Buffer | null): Promise<Server> {
  const server = createServer((socket) => {
    const packets = parser(FIVE());
    packets.on('packet', (packet) => {
      const bytes = answer(packet, () => socket.destroy());
      if (bytes !== null) socket.write(bytes);
    });
    socket.on('data', (chunk: Buffer) => packets.parse(chunk));
    socket.on('error', () => {});
    endings.push(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  return server;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}
