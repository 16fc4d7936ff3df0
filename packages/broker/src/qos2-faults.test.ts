/** QoS 2 while the log fails: a PUBREC never stands for a message that is lost, and what was delivered is delivered once. */
import { afterEach, expect, test } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
let isLogAway = false;
const sockets: HexClient[] = [];
const TELEMETRY = 'v1/telemetry/org-1/dev-9';

async function start(overrides: Partial<BrokerOptions> = {}): Promise<void> {
  broker = await startBroker({ limits: { appendRetryMs: 300 }, ...overrides });
  isLogAway = true;
  broker.beforeAppend = async () => {
    if (isLogAway) throw new Error('the log is away');
  };
}

/** Connects to a session that outlives its connection, without clean start. */
async function open(deviceId: string, protocolVersion: 4 | 5 = 5): Promise<HexClient> {
  const client = new HexClient(broker.port);
  sockets.push(client);
  const properties = protocolVersion === 5 ? '05 11 0000ffff' : '';
  const login = `${text(deviceId)} ${text(deviceId)} ${text('secret')}`;
  client.send(packetHex('10', `00044d515454 0${protocolVersion} c0 0000 ${properties} ${login}`));
  await until(() => client.received.length > 3 && client.received.length >= 2 + client.received[1]!, 'CONNACK');
  client.received = client.received.subarray(2 + client.received[1]!);
  return client;
}

function publish(topic: string, payload: string, first: '34' | '3c' | '32', protocolVersion: 4 | 5 = 5): string {
  const properties = protocolVersion === 5 ? '00' : '';
  return packetHex(first, `${text(topic)} 0007 ${properties} ${Buffer.from(payload).toString('hex')}`);
}

async function takenIn(count: number): Promise<void> {
  await until(() => broker.broker.statistics().messagesReceived >= count, `${count} messages are in`);
}

function timesReceived(client: HexClient, payload: string): number {
  return client.received.toString('latin1').split(payload).length - 1;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  isLogAway = false;
  await broker.broker.stop();
});

test.each([4, 5] as const)(
  'MQTT %d: a message that is sent again while it is on its way fails with it; the third time it is taken',
  async (protocolVersion) => {
    await start({ limits: { appendRetryMs: 1_000 } });
    const first = await open('dev-9', protocolVersion);
    first.send(publish(TELEMETRY, 'x', '34', protocolVersion));
    await takenIn(1);
    first.socket.destroy();
    const again = await open('dev-9', protocolVersion);
    again.send(publish(TELEMETRY, 'x', '3c', protocolVersion));
    await again.closed();
    expect(again.hex).toMatch(protocolVersion === 4 ? /^$/ : /^e0..80/);
    expect(broker.records).toEqual([]);

    isLogAway = false;
    const back = await open('dev-9', protocolVersion);
    back.send(publish(TELEMETRY, 'x', '3c', protocolVersion));
    await until(() => back.hex === '50020007', 'PUBREC');
    expect(broker.records).toMatchObject([{ payload: 'x' }]);
  },
);

test('a message that is sent again while it is on its way is in the log once when that goes on', async () => {
  await start({ limits: { appendRetryMs: 10_000 } });
  const first = await open('dev-9');
  first.send(publish(TELEMETRY, 'x', '34'));
  await takenIn(1);
  first.socket.destroy();
  const again = await open('dev-9');
  again.send(publish(TELEMETRY, 'x', '3c'));
  await takenIn(2);
  isLogAway = false;
  await until(() => again.hex === '50020007', 'PUBREC');
  expect(broker.records).toHaveLength(1);
});

test('PUBREL before PUBREC: no PUBCOMP for what is lost, and the packet id is free afterwards', async () => {
  await start({ limits: { appendRetryMs: 1_000 } });
  const first = await open('dev-9');
  first.send(publish(TELEMETRY, 'x', '34'));
  await takenIn(1);
  first.socket.destroy();
  const hasty = await open('dev-9');
  hasty.send('62020007');
  await hasty.closed();
  expect(hasty.hex).toMatch(/^e0..80/);

  const gate = Promise.withResolvers<void>();
  broker.beforeAppend = () => gate.promise;
  const client = await open('dev-9');
  client.send(`${publish(TELEMETRY, 'one', '34')} 62020007`);
  await takenIn(2);
  gate.resolve();
  await until(() => client.hex === '5002000770020007', 'PUBREC, PUBCOMP');
  client.send(publish(TELEMETRY, 'two', '34'));
  await until(() => client.hex.endsWith('50020007'), 'PUBREC');
  expect(broker.records.map(({ payload }) => payload)).toEqual(['one', 'two']);
});

test('a packet id of a session that was ended by a clean start means nothing to the next one', async () => {
  await start({ limits: { appendRetryMs: 10_000 } });
  const first = await open('dev-9');
  first.send(publish(TELEMETRY, 'one', '34'));
  await takenIn(1);
  const fresh = new HexClient(broker.port);
  sockets.push(fresh);
  await fresh.open(5, 'dev-9', '05 11 0000ffff');
  isLogAway = false;
  await until(() => broker.records.length === 1, 'the first message is in the log');
  fresh.send(publish(TELEMETRY, 'two', '34'));
  await until(() => fresh.hex === '50020007', 'PUBREC');
  expect(broker.records.map(({ payload }) => payload)).toEqual(['one', 'two']);
});

test('who speaks to clients only is answered although the log has failed, and nothing is delivered twice', async () => {
  await start();
  const subscriber = await open('dev-3');
  subscriber.send(packetHex('82', `0001 00 ${text('app/x')} 02`));
  await until(() => subscriber.hex.startsWith('90'), 'SUBACK');
  const device = await open('dev-9');
  const client = await open('dev-2');
  device.send(publish(TELEMETRY, 'x', '32'));
  client.send(publish('app/x', 'hello', '34'));
  await device.closed();
  await until(() => client.hex === '50020007', 'PUBREC');
  client.send(publish('app/x', 'hello', '3c'));
  await until(() => client.hex === '5002000750020007', 'PUBREC again');
  expect(timesReceived(subscriber, 'hello')).toBe(1);
});

test('who sent both to the log and to clients is disconnected; what was delivered is known when it comes again', async () => {
  await start();
  const subscriber = await open('dev-3');
  subscriber.send(packetHex('82', `0001 00 ${text('app/x')} 02`));
  await until(() => subscriber.hex.startsWith('90'), 'SUBACK');
  const device = await open('dev-9');
  device.send(`${publish('app/x', 'hello', '34')} ${publish(TELEMETRY, 'x', '32').replace('0007', '0008')}`);
  await device.closed();
  expect(device.hex).toMatch(/^e0..80/);
  const back = await open('dev-9');
  back.send(publish('app/x', 'hello', '3c'));
  await until(() => back.hex === '50020007', 'PUBREC');
  expect(timesReceived(subscriber, 'hello')).toBe(1);
});

test('a message to both whose record is lost is recorded when it comes again, and delivered once', async () => {
  const origin = { organizationId: 'org-1', deviceId: 'dev-9', topic: 't', codec: 'json', source: 'mqtt' } as const;
  await start({ route: () => ({ to: 'both', origin: { ...origin, mappingVersion: 1 } }) });
  const subscriber = await open('dev-3');
  subscriber.send(packetHex('82', `0001 00 ${text('t')} 02`));
  await until(() => subscriber.hex.startsWith('90'), 'SUBACK');
  const device = await open('dev-9');
  device.send(publish('t', 'hello', '34'));
  await device.closed();
  isLogAway = false;
  const back = await open('dev-9');
  back.send(publish('t', 'hello', '3c'));
  await until(() => back.hex === '50020007', 'PUBREC');
  expect(broker.records).toMatchObject([{ payload: 'hello' }]);
  expect(timesReceived(subscriber, 'hello')).toBe(1);
});
