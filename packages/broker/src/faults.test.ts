/** When something is slow, full or broken: nothing is acknowledged that is not durable, nothing grows without bound. */

import { FieldlineError } from '@fieldline/kit';
import { afterEach, expect, test } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { fromHex, HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
const sockets: HexClient[] = [];
const OWN = text('v1/telemetry/org-1/dev-9');

async function open(overrides: Partial<BrokerOptions>, protocolVersion: 4 | 5 = 4): Promise<HexClient> {
  broker = await startBroker(overrides);
  return another('dev-9', protocolVersion);
}

async function another(deviceId: string, protocolVersion: 4 | 5 = 4): Promise<HexClient> {
  const socket = new HexClient(broker.port);
  sockets.push(socket);
  await socket.open(protocolVersion, deviceId);
  return socket;
}

/** A QoS 1 PUBLISH with a payload of this many bytes (so that the remaining length takes two or three bytes). */
function publish(topic: string, packetId: number, payloadBytes: number): Buffer {
  const body = Buffer.concat([
    fromHex(text(topic)),
    Buffer.from([packetId >> 8, packetId & 255]),
    Buffer.alloc(payloadBytes, 0x61),
  ]);
  const length = [(body.length & 127) | 128];
  if (body.length < 16_384) length.push(body.length >> 7);
  else length.push(((body.length >> 7) & 127) | 128, body.length >> 14);
  return Buffer.concat([Buffer.from([0x32, ...length]), body]);
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  await broker.broker.stop();
});

test('an append that fails at first is tried again; the acknowledgement comes late, not early', async () => {
  const client = await open({});
  let failures = 3;
  broker.beforeAppend = async () => {
    if (failures-- > 0) throw new FieldlineError('DISK_FULL', 'no space left');
  };
  client.send(packetHex('32', `${OWN} 0001 78`));
  await until(() => broker.broker.health().problem !== undefined, 'the trouble shows in the health');
  expect(client.hex).toBe('');
  await until(() => client.hex === '40020001', 'PUBACK');
  expect(broker.records).toHaveLength(1);
  expect(broker.broker.health()).toMatchObject({ ready: true });
});

test.each([
  ['DISK_FULL', '97'],
  ['INTERNAL', '80'],
] as const)(
  'an append that keeps failing with %s disconnects its senders, no acknowledgement',
  async (code, reason) => {
    const modern = await open({ limits: { appendRetryMs: 200 } }, 5);
    const old = await another('dev-8');
    const bystander = await another('dev-7');
    broker.beforeAppend = async () => {
      throw new FieldlineError(code, 'broken');
    };
    modern.send(packetHex('32', `${OWN} 0001 00 78`));
    old.send(packetHex('32', `${text('v1/telemetry/org-1/dev-8')} 0001 78`));
    await Promise.all([modern.closed(), old.closed()]);
    expect(modern.hex).toMatch(new RegExp(`^e0..${reason}`));
    expect(old.hex).toBe('');
    expect(broker.records).toEqual([]);
    expect(broker.broker.statistics().dropped['log-failed']).toBe(2);
    bystander.send('c000');
    await until(() => bystander.hex === 'd000', 'others are served');
    broker.beforeAppend = async () => {};
    bystander.send(packetHex('32', `${text('v1/telemetry/org-1/dev-7')} 0001 78`));
    await until(() => bystander.hex.endsWith('40020001'), 'and the log works again');
  },
);

test.each([
  ['in all', { pendingBytesMax: 100_000 }],
  ['per connection', { pendingBytesPerConnectionMax: 100_000 }],
])('a log that stands still: sockets are not read beyond the budget %s, nothing is lost', async (_, limits) => {
  const gate = Promise.withResolvers<void>();
  const client = await open({ limits });
  broker.beforeAppend = () => gate.promise;
  const count = 2_000;
  for (let id = 1; id <= count; id++) client.socket.write(publish('v1/telemetry/org-1/dev-9', id, 10_000));
  const other = await another('dev-8'); // CONNECT is still answered
  expect(other.isClosed).toBe(false);
  await until(() => broker.broker.statistics().pendingBytes > 100_000, 'the budget is used up');
  const received = broker.broker.statistics().messagesReceived;
  other.send('c000');
  await until(() => other.hex === 'd000', 'a round trip of another client');
  const { pendingBytes, messagesReceived } = broker.broker.statistics();
  expect(messagesReceived).toBe(received);
  expect(pendingBytes).toBeLessThan(100_000 + 2 * 65_536 + 20_000); // one read of a socket beyond it
  gate.resolve();
  await until(() => client.received.length === count * 4, 'all acknowledgements', 20_000);
  expect(broker.records).toHaveLength(count);
});

test('a client that does not read its acknowledgements is not read either', async () => {
  const client = await open({ limits: { outboundBytesPerConnectionMax: 10_000 } });
  client.socket.pause();
  const pings = Buffer.from('c000'.repeat(50_000), 'hex');
  let written = 0;
  let isFull = false;
  const feed = (): void => {
    while (!isFull && written < 2_000) {
      written += 1;
      isFull = !client.socket.write(pings);
    }
  };
  client.socket.on('drain', () => {
    isFull = false;
    feed();
  });
  feed();
  await until(() => client.socket.writableLength > 0, 'the broker has stopped reading');
  const other = await another('dev-8');
  other.send('c000');
  await until(() => other.hex === 'd000', 'others are served');
});

test('a slow subscriber: QoS 0 is dropped and counted, QoS 1 waits in the bounded queue', async () => {
  const client = await open({ limits: { outboundBytesPerConnectionMax: 50_000, queueBytesPerSessionMax: 100_000 } });
  client.send(packetHex('82', `0001 ${text('app/#')} 01`));
  await until(() => client.hex === '9003000101', 'SUBACK');
  client.socket.pause();
  const payload = Buffer.alloc(10_000);
  for (let i = 0; i < 2_000 && broker.broker.statistics().dropped['slow-reader'] === 0; i++) {
    await broker.broker.publish({ organizationId: 'org-1', topic: 'app/0', payload, qos: 0 });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(broker.broker.statistics().dropped['slow-reader']).toBeGreaterThan(0);
  for (let i = 0; i < 20; i++) {
    await broker.broker.publish({ organizationId: 'org-1', topic: `app/${i}`, payload, qos: 1 });
  }
  const dropped = broker.broker.statistics().dropped['queue-full']!;
  expect(dropped).toBeGreaterThan(5);
  client.received = Buffer.alloc(0);
  client.socket.resume();
  await until(() => client.received.includes(Buffer.from('app/19')), 'the newest message comes when the client reads');
});

test('QoS 0 that is to be retained counts until it is stored, though nobody waits for an answer', async () => {
  const client = await open({});
  const gate = Promise.withResolvers<void>();
  broker.beforeAppend = () => gate.promise;
  client.send(packetHex('32', `${OWN} 0001 78`));
  await until(() => broker.broker.statistics().pendingBytes > 0, 'the log is busy');
  const retained = (number: number): string => packetHex('31', `${text(`app/${number}`)} ${'61'.repeat(100)}`);
  for (let number = 0; number < 20; number++) client.send(retained(number));
  await until(() => broker.broker.statistics().retainedMessages === 20, 'all are there');
  expect(broker.broker.statistics().pendingBytes).toBeGreaterThan(20 * 100);
  gate.resolve();
  await until(() => broker.broker.statistics().pendingBytes === 0, 'all are stored');
  expect(client.hex).toBe('40020001');
});
