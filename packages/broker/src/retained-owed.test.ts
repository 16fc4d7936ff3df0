/** Retained messages under a new subscription: each once, none of what comes later, and a restart in between loses none. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

const folders: string[] = [];
const brokers: TestBroker[] = [];
const sockets: HexClient[] = [];
const COUNT = 10;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  for (const { broker } of brokers.splice(0)) await broker.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** `from`: what a kill would leave of that folder. */
async function start(from?: string): Promise<{ test: TestBroker; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldline-broker-'));
  folders.push(folder);
  if (from !== undefined) await cp(join(from, 'sessions.journal'), join(folder, 'sessions.journal'));
  const test = await startBroker({ dataDir: folder });
  brokers.push(test);
  return { test, folder };
}

/** Connects without clean start, session expiry 100 s; takes so many messages at a time. */
async function connect(test: TestBroker, receiveMaximum: number): Promise<HexClient> {
  const client = new HexClient(test.port);
  sockets.push(client);
  const properties = `08 11 00000064 21 ${receiveMaximum.toString(16).padStart(4, '0')}`;
  const login = `${text('dev-1')} ${text('dev-1')} ${text('secret')}`;
  client.send(packetHex('10', `00044d515454 05 c0 0000 ${properties} ${login}`));
  await until(() => client.received.length > 4 && client.received.length >= 2 + client.received[1]!, 'CONNACK');
  client.received = client.received.subarray(2 + client.received[1]!);
  return client;
}

async function retain(test: TestBroker): Promise<void> {
  for (let index = 0; index < COUNT; index++) await publish(test, `app/r/${index}`, `value ${index}`);
}

function publish(test: TestBroker, topic: string, payload: string): Promise<void> {
  return test.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from(payload), qos: 1, retain: true });
}

function timesReceived(client: HexClient, words: string): number {
  return client.received.toString('latin1').split(words).length - 1;
}

async function answered(client: HexClient): Promise<void> {
  const before = timesReceived(client, '\xd0\x00');
  client.send('c000');
  await until(() => timesReceived(client, '\xd0\x00') > before, 'a round trip');
}

test('a message that is retained before SUBACK goes out is delivered once, not as a retained one again', async () => {
  const { test } = await start();
  await publish(test, 'app/x', 'old');
  const client = await connect(test, 100);
  client.send(
    packetHex('82', `0001 00 ${text('app/x')} 02`) +
      packetHex('35', `${text('app/x')} 0005 00 ${Buffer.from('once').toString('hex')}`),
  );
  await until(() => client.hex.includes('50020005') && client.hex.includes('9004000100'), 'SUBACK and PUBREC');
  await answered(client);
  expect(timesReceived(client, 'once')).toBe(1);
});

test('what is still owed at a restart is sent when the client comes back', async () => {
  const { test: before, folder } = await start();
  await retain(before);
  const client = await connect(before, 1);
  client.send(packetHex('82', `0001 00 ${text('app/r/#')} 01`));
  await until(() => timesReceived(client, 'value') === 1, 'the first one');

  const { test: after } = await start(folder);
  await publish(after, 'app/r/0', 'a new value');
  const back = await connect(after, 100);
  await until(
    () => Array.from({ length: COUNT }, (_, i) => back.received.includes(`app/r/${i}`)).every(Boolean),
    'all',
  );
  expect(timesReceived(back, 'a new value')).toBe(1); // It was queued as it was published.
});

test('what was sent is not owed after a restart', async () => {
  const { test: before, folder } = await start();
  await retain(before);
  const client = await connect(before, 1);
  client.send(packetHex('82', `0001 00 ${text('app/r/0')} 01`));
  await until(() => timesReceived(client, 'value 0') === 1, 'the only one');
  client.send('40020001');
  await answered(client);
  await publish(before, 'app/other', 'flushes the journal');

  const { test: after } = await start(folder);
  const back = await connect(after, 100);
  await answered(back);
  expect(timesReceived(back, 'value')).toBe(0);
});

test('what is owed under a subscription that ends is owed no more', async () => {
  const { test: before, folder } = await start();
  await retain(before);
  const client = await connect(before, 1);
  client.send(packetHex('82', `0001 00 ${text('app/r/#')} 01`));
  await until(() => timesReceived(client, 'value') === 1, 'the first one');
  client.send(packetHex('a2', `0002 00 ${text('app/r/#')}`));
  await until(() => client.hex.includes('b004000200'), 'UNSUBACK');

  const { test: after } = await start(folder);
  const back = await connect(after, 100);
  await answered(back);
  expect(timesReceived(back, 'value')).toBe(2); // What was in flight, and what waited behind it.
});
