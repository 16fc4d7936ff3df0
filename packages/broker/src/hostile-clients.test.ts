/** Clients that misbehave: what they make the broker hold is bounded, they are answered, and nobody else notices. */
import { Metrics, systemClock } from '@fieldline/kit';
import { afterEach, describe, expect, test } from 'vitest';
import type { BrokerLimits, BrokerOptions } from './options.ts';
import { fromHex, HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
let metrics: Metrics;
const sockets: HexClient[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  await broker.broker.stop();
});

async function start(limits: Partial<BrokerLimits>, more: Partial<BrokerOptions> = {}): Promise<void> {
  metrics = new Metrics();
  broker = await startBroker({ limits, metrics, ...more });
}

/** MQTT 3.1.1 or 5; `clean` 0 leaves a session behind. */
async function connect(deviceId: string, clientId = deviceId, clean = true, protocolVersion = 4): Promise<HexClient> {
  const client = new HexClient(broker.port);
  sockets.push(client);
  const flags = clean ? 'c2' : 'c0';
  const properties = protocolVersion === 5 ? '00' : '';
  client.send(
    packetHex(
      '10',
      `00044d515454 0${protocolVersion} ${flags} 0000 ${properties} ${text(clientId)} ${text(deviceId)} ${text('secret')}`,
    ),
  );
  await until(() => client.received.length >= 4 || client.isClosed, 'CONNACK');
  return client;
}

async function subscribed(deviceId: string, qos: 0 | 1, clientId = deviceId, clean = true): Promise<HexClient> {
  const client = await connect(deviceId, clientId, clean);
  client.received = Buffer.alloc(0);
  client.send(packetHex('82', `0001 ${text('app/#')} 0${qos}`));
  await until(() => client.received.length >= 5, 'SUBACK');
  client.received = Buffer.alloc(0);
  return client;
}

function publish(qos: 0 | 1, payload: Buffer, topic = 'app/x'): Promise<void> {
  return broker.broker.publish({ organizationId: 'org-1', topic, payload, qos });
}

/** A full turn of the event loop, so that sockets move on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function budget(name: string, scope: string): Promise<number> {
  const gauge = await metrics.registry.getSingleMetric('mqtt_budget_used_bytes')!.get();
  return gauge.values.find(({ labels }) => labels.budget === name && labels.scope === scope)!.value;
}

/** The socket's own end may come a moment after that of the connection. */
async function untilReleased(name: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while ((await budget(name, 'total')) !== 0) {
    if (Date.now() > deadline) throw new Error(`${await budget(name, 'total')} bytes are still held: ${name}`);
    await turn();
  }
}

async function ended(reason: string): Promise<number> {
  const counter = await metrics.registry.getSingleMetric('mqtt_connections_ended_total')?.get();
  return counter?.values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
}

async function untilEnded(reason: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while ((await ended(reason)) === 0) {
    if (Date.now() > deadline) throw new Error(`no connection ended for ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('clients that do not read', () => {
  test('what waits for all of them together is bounded; whoever reads gets everything', async () => {
    const limits = { outboundBytesPerConnectionMax: 200_000, outboundBytesMax: 300_000 };
    await start({ ...limits, outboundBytesPerDeviceMax: 10_000_000 });
    const reader = await subscribed('dev-reads', 0);
    for (let index = 0; index < 6; index++) (await subscribed(`dev-${index}`, 0)).socket.pause();
    const payload = Buffer.alloc(32_000, 0x61);
    let most = 0;
    // Until the kernel's buffers are full, too: as many as it takes.
    for (let sent = 1; broker.broker.statistics().dropped['slow-reader']! < 300; sent++) {
      await publish(0, payload);
      await until(() => reader.received.length >= payload.length, 'the reader has it');
      reader.received = Buffer.alloc(0);
      if (sent % 10 === 0) most = Math.max(most, await budget('unread', 'total'));
      if (sent > 20_000) throw new Error('nobody is slow');
    }
    expect(most).toBeGreaterThan(0);
    // One message for each may come on top of the shares.
    expect(most).toBeLessThan(300_000 + 6 * 65_000);
  });

  test('one that reads nothing at all is disconnected after a while', async () => {
    await start({ stalledReaderTimeoutMs: 400, outboundBytesPerConnectionMax: 50_000 });
    const slow = await subscribed('dev-1', 0);
    slow.socket.pause();
    const payload = Buffer.alloc(50_000);
    for (let sent = 0; sent < 2_000 && broker.broker.statistics().dropped['slow-reader'] === 0; sent++) {
      await publish(0, payload);
      await turn();
    }
    await untilEnded('stalled-reader');
    await untilReleased('unread');
    expect(broker.broker.statistics().connections).toBe(0);
  });

  test('one that acknowledges nothing: what is in flight is bounded in bytes, the rest in the queue', async () => {
    await start({ queueBytesPerSessionMax: 100_000, inFlightMax: 1_000 });
    const silent = await subscribed('dev-1', 1);
    const payload = Buffer.alloc(10_000);
    for (let index = 0; index < 100; index++) await publish(1, payload);
    await until(() => silent.received.length > 90_000, 'as much as may be in flight');
    expect(await budget('queue', 'total')).toBeLessThan(220_000);
    expect(broker.broker.statistics().dropped['queue-full']).toBeGreaterThan(70);
  });
});

describe('many sessions of one device', () => {
  test('their queues together are bounded; another device keeps its own', async () => {
    await start({ queueBytesPerDeviceMax: 200_000, queueBytesPerSessionMax: 100_000 });
    for (let index = 0; index < 10; index++) {
      (await subscribed('dev-many', 1, `client-${index}`, false)).socket.destroy();
    }
    (await subscribed('dev-other', 1, 'other', false)).socket.destroy();
    await until(() => broker.broker.statistics().connections === 0, 'all are away');
    for (let index = 0; index < 9; index++) await publish(1, Buffer.alloc(10_000));
    expect(await budget('queue', 'device')).toBeLessThanOrEqual(200_000);
    expect(await budget('queue', 'device')).toBeGreaterThan(100_000);
    const other = await connect('dev-other', 'other', false);
    await until(() => other.received.length > 90_000, 'all nine for the other one');
  });

  test('the total: the largest queues give way, small ones keep everything', async () => {
    await start({ queueBytesMax: 300_000, queueBytesPerSessionMax: 200_000 });
    for (let index = 0; index < 4; index++) (await subscribed(`dev-${index}`, 1, `c-${index}`, false)).socket.destroy();
    await until(() => broker.broker.statistics().connections === 0, 'all are away');
    for (let index = 0; index < 18; index++) await publish(1, Buffer.alloc(10_000));
    (await subscribed('dev-late', 1, 'late', false)).socket.destroy();
    await until(() => broker.broker.statistics().connections === 0, 'it is away, too');
    for (let index = 0; index < 3; index++) await publish(1, Buffer.alloc(10_000));
    expect(await budget('queue', 'total')).toBeLessThanOrEqual(300_000);
    const late = await connect('dev-late', 'late', false);
    await until(() => late.received.length > 30_000, 'all three');
  });

  test('one session too many: the one that has been away for longest ends; where all are there, 0x97', async () => {
    await start({ sessionsPerDeviceMax: 3 });
    for (const name of ['a', 'b', 'c']) {
      (await subscribed('dev-1', 1, name, false)).socket.destroy();
      await until(() => broker.broker.statistics().connections === 0, 'it is away');
    }
    for (const name of ['d', 'e', 'f']) expect((await connect('dev-1', name, false)).hex).toBe('20020000');
    expect(broker.broker.statistics()).toMatchObject({ sessions: 3, subscriptions: 0 });
    const refused = await connect('dev-1', 'g', true, 5);
    expect(refused.hex).toMatch(/^20..0097/);
    await refused.closed();
    expect((await connect('dev-2', 'a')).hex).toBe('20020000');
  });

  test('what they send to the log together is bounded', async () => {
    const gate = Promise.withResolvers<void>();
    await start({ pendingBytesPerDeviceMax: 200_000 });
    broker.beforeAppend = () => gate.promise;
    const message = `${text('v1/telemetry/org-1/dev-1')} 0001 ${'61'.repeat(90)}`;
    const many = Buffer.concat(Array.from({ length: 5_000 }, () => fromHex(packetHex('32', message))));
    const clients = await Promise.all(Array.from({ length: 10 }, (_, index) => connect('dev-1', `client-${index}`)));
    for (const client of clients) client.socket.write(many);
    const other = await connect('dev-2');
    other.received = Buffer.alloc(0);
    await until(() => broker.broker.statistics().pendingBytes > 200_000, 'the budget is used up');
    other.send('c000');
    await until(() => other.hex === 'd000', 'the other one is served');
    // Each socket may bring one read (64 KiB, at this size of packets somewhat more as it is counted) beyond it.
    expect(await budget('log', 'device')).toBeLessThan(200_000 + 10 * 100_000);
    gate.resolve();
    await until(() => broker.records.length === 50_000, 'everything is taken in the end', 15_000);
  });
});

describe('packets that do not end', () => {
  test('slow-loris: a packet that drips in is given up', async () => {
    await start({ packetTimeoutMs: 500 });
    const client = await connect('dev-1');
    client.send('30ff7f');
    const drip = setInterval(() => client.socket.write('a'), 20);
    await client.closed();
    clearInterval(drip);
    await untilEnded('slow-packet');
    await untilReleased('partial');
  });

  test('one packet after the other is not slow, even where each chunk ends in the middle of one', async () => {
    await start({ packetTimeoutMs: 300 });
    const client = await connect('dev-1');
    client.received = Buffer.alloc(0);
    client.send('c0');
    const drip = setInterval(() => client.send('00c0'), 50);
    await until(() => client.received.length >= 2 * 20, 'twenty answers');
    clearInterval(drip);
    expect(client.isClosed).toBe(false);
  });

  test('unfinished packets of one device: bounded over its connections, others are not touched', async () => {
    await start({ partialBytesPerDeviceMax: 310_000 });
    const other = await connect('dev-2');
    other.received = Buffer.alloc(0);
    const clients = await Promise.all(Array.from({ length: 5 }, (_, index) => connect('dev-1', `client-${index}`)));
    for (const client of clients) {
      client.send('30ffff1f'); // half a MiB to come
      client.socket.write(Buffer.alloc(100_000));
    }
    await until(() => clients.filter(({ isClosed }) => isClosed).length >= 2, 'those beyond it are closed');
    expect(await budget('partial', 'device')).toBeLessThanOrEqual(310_000);
    other.send('c000');
    await until(() => other.hex === 'd000', 'the other one is served');
  });

  test('half a CONNECT from many who are not known: bounded, and known clients come in', async () => {
    await start({ unknownBytesMax: 100_000 });
    const half = Buffer.concat([fromHex('10ffff03 0004 4d515454 04 c2 0000'), Buffer.alloc(20_000)]);
    const clients = Array.from({ length: 20 }, () => new HexClient(broker.port));
    sockets.push(...clients);
    for (const client of clients) client.socket.write(half);
    await until(() => clients.filter(({ isClosed }) => isClosed).length >= 15, 'those beyond it are closed');
    expect((await connect('dev-1')).hex).toBe('20020000');
  });
});

describe('storms', () => {
  test('resets at every stage leave nothing behind and touch nobody', async () => {
    await start({});
    const good = await connect('dev-good');
    good.received = Buffer.alloc(0);
    for (let round = 0; round < 10; round++) {
      const clients = Array.from({ length: 50 }, () => new HexClient(broker.port));
      for (const [index, client] of clients.entries()) {
        const connectHex = packetHex(
          '10',
          `00044d515454 04 c2 0000 ${text(`c${index}`)} ${text('dev-1')} ${text('secret')}`,
        );
        const stages = [
          '',
          connectHex.slice(0, 20),
          connectHex,
          `${connectHex}82`,
          `${connectHex}32`,
          connectHex + packetHex('82', `0001 ${text('app/#')} 01`),
        ];
        client.socket.write(fromHex(stages[index % stages.length]!));
        client.socket.once('connect', () => setImmediate(() => client.socket.resetAndDestroy()));
      }
      await until(() => clients.every(({ isClosed }) => isClosed), 'all are reset');
      good.send('c000');
    }
    await until(() => good.hex === 'd000'.repeat(10), 'the good one is answered each time');
    await until(() => broker.broker.statistics().connections === 1, 'only the good one is left');
    expect(broker.broker.statistics()).toMatchObject({ sessions: 1, subscriptions: 0 });
    expect(await budget('partial', 'total')).toBe(0);
  });

  test('hundreds of clients that come back at once take their sessions over, each exactly once', async () => {
    await start({});
    const count = 300;
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: count }, (_, index) => connect(`dev-${index}`, `client-${index}`, false)));
    }
    await until(() => broker.broker.statistics().connections === count, 'the old connections are gone', 20_000);
    expect(broker.broker.statistics()).toMatchObject({ sessions: count, connections: count });
  });
});

test('filters of many levels: a device has its budget of them over all its sessions, and others have theirs', async () => {
  await start({ subscriptionBytesPerDeviceMax: 50_000, subscriptionBytesPerOrganizationMax: 90_000 });
  const answers: string[] = [];
  const subscribe = async (client: HexClient, id: number): Promise<string> => {
    client.received = Buffer.alloc(0);
    client.send(packetHex('82', `00${id.toString(16).padStart(2, '0')} ${text(`app/${id}${'/a'.repeat(20)}`)} 01`));
    await until(() => client.received.length >= 5, 'SUBACK');
    return client.hex.slice(-2);
  };
  for (const clientId of ['one', 'two']) {
    const client = await connect('dev-1', clientId);
    for (let id = 1; id <= 6; id++) answers.push(await subscribe(client, clientId === 'one' ? id : id + 6));
  }
  expect(answers.indexOf('80')).toBe(7);
  expect(answers.slice(7)).toEqual(Array(5).fill('80'));
  const other = await connect('dev-2');
  expect(await subscribe(other, 20)).toBe('01');
  const [device, organization] = [
    await budget('subscriptions', 'device'),
    await budget('subscriptions', 'organization'),
  ];
  expect(device).toBeLessThanOrEqual(50_000);
  expect(organization).toBeGreaterThan(device);
  expect(await budget('subscriptions', 'total')).toBe(organization);
  for (const { socket } of sockets) socket.destroy();
  await until(() => broker.broker.statistics().sessions === 0, 'all are gone');
  expect(await budget('subscriptions', 'total')).toBe(0);
});

test('a client that ignores the receive maximum is told so: 0x93', async () => {
  const gate = Promise.withResolvers<void>();
  await start({ receiveMaximum: 5 });
  broker.beforeAppend = () => gate.promise;
  const other = await connect('dev-2');
  other.received = Buffer.alloc(0);
  const client = await connect('dev-1', 'dev-1', true, 5);
  client.received = Buffer.alloc(0);
  for (let id = 1; id <= 6; id++) {
    client.send(packetHex('32', `${text('v1/telemetry/org-1/dev-1')} 000${id} 00 61`));
  }
  await client.closed();
  expect(client.hex).toMatch(/^e0..93/);
  gate.resolve();
  other.send(packetHex('32', `${text('v1/telemetry/org-1/dev-2')} 0001 61`));
  await until(() => other.hex === '40020001', 'the other one is served');
});

test('the machine’s clock jumps: no session ends, no keep-alive runs out, no message expires', async () => {
  let jumpMs = 0;
  const clock = {
    nowMs: () => systemClock.nowMs() + jumpMs,
    nowMicros: () => systemClock.nowMicros() + jumpMs * 1000,
    monotonicMs: () => systemClock.monotonicMs(),
  };
  await start({}, { clock });
  (await subscribed('dev-1', 1, 'away', false)).socket.destroy();
  const there = await connect('dev-2');
  there.received = Buffer.alloc(0);
  await until(() => broker.broker.statistics().connections === 1, 'one is away');
  await broker.broker.publish({
    organizationId: 'org-1',
    topic: 'app/x',
    payload: Buffer.from('v'),
    qos: 1,
    expiryS: 60,
  });
  for (const years of [30, -30]) {
    jumpMs = years * 365 * 86_400_000;
    // Two rounds of the broker's periodic work.
    await new Promise((resolve) => setTimeout(resolve, 600));
    there.send('c000');
  }
  await until(() => there.hex === 'd000d000', 'still connected');
  const back = await connect('dev-1', 'away', false);
  expect(back.hex.startsWith('20020100')).toBe(true); // session present
  await until(() => back.hex.includes(Buffer.from('app/x').toString('hex')), 'the message that waited');
});
