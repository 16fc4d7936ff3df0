/** MQTT over WebSocket (MQTT 5, 6), plain and over TLS, with mqtt.js and with bare WebSockets. */
import { request } from 'node:http';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { Metrics, systemClock } from '@fieldline/kit';
import { type MqttClient, connect as mqttConnect } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type BrokerOptions, DEFAULT_LIMITS } from './options.ts';
import { fromHex, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';
import { WebSocketDoor } from './websocket-door.ts';

let broker: TestBroker;
let port = 0;
const opened: { close(): void }[] = [];
const clients: MqttClient[] = [];

async function start(overrides: Partial<BrokerOptions> = {}): Promise<void> {
  const listener = { host: '127.0.0.1', port: 0 };
  broker = await startBroker({ ...overrides, listeners: { ws: [listener] } });
  const addresses = broker.broker.addresses();
  port = addresses.find(({ kind }) => kind === 'ws')!.port;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const one of opened.splice(0)) one.close();
  await broker.broker.stop();
});

async function client(deviceId: string, protocolVersion: 4 | 5 = 5): Promise<MqttClient> {
  const connected = mqttConnect(`ws://127.0.0.1:${port}/mqtt`, {
    clientId: deviceId,
    username: deviceId,
    password: 'secret',
    protocolVersion,
    reconnectPeriod: 0,
  });
  clients.push(connected);
  await new Promise((resolve, reject) => {
    connected.once('connect', resolve);
    connected.once('error', reject);
  });
  return connected;
}

class BareWebSocket {
  readonly socket: WebSocket;
  received = Buffer.alloc(0);
  messageCount = 0;
  closeCode: number | null = null;

  constructor() {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt');
    opened.push({ close: () => this.socket.terminate() });
    this.socket.on('message', (data: Buffer) => {
      this.messageCount += 1;
      this.received = Buffer.concat([this.received, data]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  async open(): Promise<this> {
    await until(() => this.socket.readyState === WebSocket.OPEN, 'the WebSocket is open');
    return this;
  }

  async connect(clientId = 'dev-9'): Promise<this> {
    await this.open();
    this.socket.send(fromHex(connectHex(clientId)));
    await until(() => this.received.length >= 4, 'CONNACK');
    this.received = Buffer.alloc(0);
    this.messageCount = 0;
    return this;
  }
}

/** Always the same device. */
function connectHex(clientId: string): string {
  return packetHex('10', `00044d515454 04 c2 0000 ${text(clientId)} ${text('dev-9')} ${text('secret')}`);
}

test.each([4, 5] as const)('mqtt.js, version %i: into the log and from other doors', async (version) => {
  await start();
  const device = await client('dev-1', version);
  for (let index = 0; index < 100; index++) device.publish('v1/telemetry/org-1/dev-1', `${index}`, { qos: 1 });
  await device.publishAsync('v1/telemetry/org-1/dev-1', 'last', { qos: 2 });
  expect(broker.records.map(({ payload }) => payload)).toEqual([
    ...Array.from({ length: 100 }, (_, index) => `${index}`),
    'last',
  ]);
  const received: string[] = [];
  device.on('message', (_, payload) => received.push(payload.toString()));
  await device.subscribeAsync('app/#', { qos: 1 });
  const large = 'x'.repeat(300_000);
  await broker.broker.publish({ organizationId: 'org-1', topic: 'app/a', payload: Buffer.from(large), qos: 1 });
  await until(() => received.length === 1, 'the message');
  expect(received[0]).toBe(large);
  expect(broker.events.map(({ type }) => type)).toEqual(['connected']);
});

test('packets do not keep to the borders of messages [MQTT-6.0.0-2]; what is written together is one message', async () => {
  await start();
  const bare = await new BareWebSocket().open();
  const publish = packetHex('32', `${text('v1/telemetry/org-1/dev-9')} 0001 61`);
  const bytes = fromHex(connectHex('dev-9') + publish + publish.replace('0001 61', '0002 62'));
  for (const byte of bytes.subarray(0, 40)) bare.socket.send(Buffer.from([byte]));
  bare.socket.send(bytes.subarray(40));
  await until(() => bare.received.toString('hex') === '20020000' + '40020001' + '40020002', 'three answers');
  expect(broker.records.map(({ payload }) => payload)).toEqual(['a', 'b']);
  expect(bare.messageCount).toBe(2);
});

test('a text message ends the connection [MQTT-6.0.0-1]', async () => {
  await start();
  const bare = await new BareWebSocket().connect();
  bare.socket.send('text');
  await until(() => bare.closeCode === 1003, 'closed with 1003');
  await until(() => broker.events.at(-1)?.type === 'disconnected', 'the session is told');
});

test('a client that leaves: DISCONNECT and the closing handshake', async () => {
  await start();
  const bare = await new BareWebSocket().connect();
  bare.socket.send(fromHex('e000'));
  await until(() => bare.closeCode === 1000, 'closed with 1000');
  expect(broker.events.at(-1)).toMatchObject({ type: 'disconnected', reasonCode: 0 });
});

test.each([
  ['another path', '/other', 'mqtt', 404],
  ['another subprotocol [MQTT-6.0.0-3]', '/mqtt', 'chat', 400],
] as const)('%s is refused', async (_, path, subprotocol, status) => {
  await start();
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocol);
  const answer = await new Promise((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('error', () => {});
  });
  expect(answer).toBe(status);
});

test('the server names the subprotocol [MQTT-6.0.0-4]; what is no WebSocket is told where to go', async () => {
  await start();
  const bare = await new BareWebSocket().open();
  expect(bare.socket.protocol).toBe('mqtt');
  const status = await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/mqtt' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(426);
});

test('strangers: no request in time, no CONNECT in time, more bytes than a CONNECT may have', async () => {
  await start({ limits: { connectTimeoutMs: 300, connectBytesMax: 1_000 } });
  const silent = connectTcp({ host: '127.0.0.1', port });
  silent.write('GET /mqtt HTTP/1.1\r\nHost: a\r\n');
  const silentClosed = new Promise((resolve) => silent.once('close', resolve));
  const undecided = await new BareWebSocket().open();
  const greedy = await new BareWebSocket().open();
  greedy.socket.send(Buffer.alloc(100_000));
  await Promise.all([silentClosed, until(() => undecided.closeCode !== null && greedy.closeCode !== null, 'closed')]);
  expect(broker.events.filter(({ type }) => type === 'connected')).toEqual([]);
});

test('messages that are not complete count for their device; the one beyond its budget is closed, others are not', async () => {
  const metrics = new Metrics();
  await start({ metrics, limits: { partialBytesPerDeviceMax: 1_000_000, packetBytesMax: 500_000 } });
  const partial = async (): Promise<number> => {
    const gauge = await metrics.registry.getSingleMetric('mqtt_budget_used_bytes')!.get();
    return gauge.values.find(({ labels }) => labels.budget === 'partial' && labels.scope === 'device')!.value;
  };
  const held: BareWebSocket[] = [];
  for (let count = 1; count <= 3; count++) {
    const bare = await new BareWebSocket().connect(`client-${count}`);
    held.push(bare);
    bare.socket.send(Buffer.alloc(400_000, 0xc0), { fin: false });
    if (count < 3) while ((await partial()) < count * 400_000) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => held[2]!.closeCode !== null, 'the third is closed');
  expect([held[0]!.closeCode, held[1]!.closeCode]).toEqual([null, null]);
  expect(broker.events.at(-1)).toMatchObject({ type: 'disconnected', reasonCode: 0x97 });
  expect(await partial()).toBeLessThan(1_000_000);
  // Complete, it is what it was: a malformed packet. What was held is free.
  for (const bare of held) bare.socket.terminate();
  await until(() => broker.broker.statistics().connections === 0, 'all are gone');
  expect(await partial()).toBe(0);
});

test('a message that is never complete ends its connection in time; pings in between change nothing', async () => {
  await start({ limits: { packetTimeoutMs: 300 } });
  const bare = await new BareWebSocket().connect();
  bare.socket.send(Buffer.from([0x30, 0x7f]), { fin: false });
  const pings = setInterval(() => bare.socket.readyState === WebSocket.OPEN && bare.socket.ping(), 50);
  await until(() => bare.closeCode !== null, 'it is closed').finally(() => clearInterval(pings));
  expect(broker.events.at(-1)).toMatchObject({ type: 'disconnected', reasonCode: 0x97 });
});

test('a message over the largest packet ends the connection of a known client, too (1009)', async () => {
  await start({ limits: { packetBytesMax: 2_000 } });
  const bare = await new BareWebSocket().connect();
  bare.socket.send(Buffer.alloc(200_000));
  await until(() => bare.closeCode === 1009, 'closed with 1009');
  await until(() => broker.events.at(-1)?.type === 'disconnected', 'the session is told');
});

test('a client that does not read is bounded and does not hold up others', async () => {
  await start({ limits: { outboundBytesPerConnectionMax: 100_000 } });
  const lazy = await new BareWebSocket().connect();
  lazy.socket.send(fromHex(packetHex('82', `0001 ${text('app/#')} 00`)));
  await until(() => lazy.received.length > 0, 'SUBACK');
  lazy.socket.pause();
  const payload = Buffer.alloc(50_000);
  const publish = async (): Promise<void> => {
    await broker.broker.publish({ organizationId: 'org-1', topic: 'app/a', payload, qos: 0 });
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let count = 0; count < 1_000 && broker.broker.statistics().dropped['slow-reader'] === 0; count++)
    await publish();
  expect(broker.broker.statistics().dropped['slow-reader']).toBeGreaterThan(0);
  const device = await client('dev-1');
  await device.publishAsync('v1/telemetry/org-1/dev-1', 'x', { qos: 1 });
  lazy.received = Buffer.alloc(0);
  lazy.socket.resume();
  await until(() => lazy.received.length > 100_000, 'it reads on');
});

test('pings of a client that does not read the answers are not answered without end', async () => {
  await start();
  const visitors: Socket[] = [];
  const door = new WebSocketDoor({
    limits: DEFAULT_LIMITS,
    clock: systemClock,
    refused: () => {},
    accept: (stream) => void stream.resume(),
  });
  const server = createServer((socket) => {
    visitors.push(socket);
    const peer = {
      remoteAddress: '',
      secure: false,
      certificateCommonName: undefined,
      certificateFingerprint: undefined,
    };
    door.take(socket, peer, systemClock.monotonicMs());
  }).listen(0, '127.0.0.1');
  opened.push({ close: () => server.close() }, { close: () => visitors[0]?.destroy() });
  await until(() => server.listening, 'it listens');
  const client = connectTcp({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  opened.push({ close: () => client.destroy() });
  client.write(
    'GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  );
  await new Promise((resolve) => client.once('data', resolve));
  client.pause();
  const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125]), Buffer.alloc(4 + 125)]);
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => ping));
  const before = visitors[0]!.bytesRead;
  // More than the sockets' own buffers take.
  for (let count = 0; count < 160; count++) client.write(pings);
  await until(() => visitors[0]!.bytesRead - before === 160 * pings.length, 'all pings are read', 20_000);
  expect(visitors[0]!.writableLength).toBeLessThan(32 * 1024);
});
