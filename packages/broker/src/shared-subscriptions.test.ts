/** Shared subscriptions with real sockets (MQTT 5, 4.8.2): who gets what, and what happens when a member leaves. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
const sockets: HexClient[] = [];

beforeEach(async () => {
  broker = await startBroker();
});

afterEach(async () => {
  for (const { socket } of sockets.splice(0)) socket.destroy();
  await broker.broker.stop();
});

const SESSION_KEPT = '05 11 00000064';

/** A member of $share/g/app/# that answers only when it is told to. */
async function member(deviceId: string, qos: 0 | 1 | 2, properties = '00'): Promise<HexClient> {
  const client = new HexClient(broker.port);
  sockets.push(client);
  await client.open(5, deviceId, properties);
  client.send(packetHex('82', `0001 00 ${text('$share/g/app/#')} 0${qos}`));
  await until(() => client.received.length >= 6, 'SUBACK');
  client.received = Buffer.alloc(0);
  return client;
}

function publish(topic: string, payload: string, qos: 0 | 1 | 2, retain = false): Promise<void> {
  return broker.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from(payload), qos, retain });
}

/** Payloads (one digit each) of the PUBLISH packets that came in. */
function payloads(client: HexClient): string {
  return [...client.received.toString('latin1').matchAll(/app\/.(?:..)?\0(\d)/gs)].map(([, digit]) => digit).join('');
}

test('each message goes to one member, in turn; retained ones to none [MQTT-4.8.2-3: in the QoS of each]', async () => {
  await publish('app/r', '0', 1, true);
  const members = [await member('dev-1', 0), await member('dev-2', 1), await member('dev-3', 2)];
  for (const digit of '123456789') await publish('app/x', digit, 0);
  await until(() => members.map(payloads).join('').length === 9, 'nine messages');
  expect(members.map((client) => payloads(client).length)).toEqual([3, 3, 3]);
  expect(members.map(payloads).join('').split('').sort().join('')).toBe('123456789');
});

test('what is not answered yet keeps its topic with one member', async () => {
  const members = [await member('dev-1', 1), await member('dev-2', 1)];
  for (const digit of '1234') await publish('app/x', digit, 1);
  for (const digit of '5678') await publish('app/y', digit, 1);
  await until(() => members.map(payloads).join('').length === 8, 'eight messages');
  expect(members.map(payloads).sort()).toEqual(['1234', '5678']);
});

test('QoS 1 that a member has not answered goes to another one when it leaves', async () => {
  const [one, other] = [await member('dev-1', 1, SESSION_KEPT), await member('dev-2', 1, SESSION_KEPT)];
  for (const digit of '123') await publish('app/x', digit, 1);
  await until(() => [one, other].map(payloads).join('') === '123', 'one has them');
  const [holder, next] = payloads(one) === '123' ? [one, other] : [other, one];
  holder.socket.destroy();
  await until(() => payloads(next) === '123', 'the other one has them');
  expect(next.hex.match(/3[a]/g)).toBeNull(); // not as duplicates: for this client they are new
});

test('what waits for a member that is away goes to one that comes', async () => {
  const away = await member('dev-1', 1, SESSION_KEPT);
  away.socket.destroy();
  await until(() => broker.broker.statistics().connections === 0, 'it is away');
  for (const digit of '123') await publish('app/x', digit, 1);
  const other = await member('dev-2', 1);
  await until(() => payloads(other) === '123', 'the other one has them');
});

test('what a member leaves behind goes to another as far as that has room, and the rest later: none is dropped', async () => {
  await broker.broker.stop();
  broker = await startBroker({ limits: { queueBytesPerSessionMax: 10_000, inFlightMax: 1 } });
  const [one, other] = [await member('dev-1', 1, SESSION_KEPT), await member('dev-2', 1, SESSION_KEPT)];
  one.socket.destroy();
  other.socket.destroy();
  await until(() => broker.broker.statistics().connections === 0, 'both are away');
  const count = 60; // Some 9 kB for each of the two.
  for (let index = 0; index < count * 2; index++) await publish('app/x', `${index % 10}`, 1);
  const queued = count * 2 - broker.broker.statistics().dropped['queue-full']!;
  expect(queued).toBeGreaterThan(count);
  const back = await member('dev-3', 1);
  let answered = 0;
  const timer = setInterval(() => {
    const sent = payloads(back).length;
    // Packet identifiers count up from 1.
    for (; answered < sent; answered++) back.send(`4002${(answered + 1).toString(16).padStart(4, '0')}`);
  }, 1);
  const dropped = broker.broker.statistics().dropped['queue-full'];
  await until(() => answered === queued, 'everything that was queued', 20_000);
  clearInterval(timer);
  await until(() => broker.broker.statistics().queuedBytes === 0, 'the last answer');
  expect(broker.broker.statistics().dropped['queue-full']).toBe(dropped);
});

test('a session that ends leaves nothing behind, even where nobody was connected', async () => {
  const away = await member('dev-1', 1, '05 11 00000001');
  const other = await member('dev-2', 1, SESSION_KEPT);
  other.socket.destroy();
  away.socket.destroy();
  await until(() => broker.broker.statistics().connections === 0, 'both are away');
  for (const topic of ['app/x', 'app/y', 'app/z', 'app/w']) await publish(topic, '1', 1);
  await until(() => broker.broker.statistics().sessions === 1, 'one session has ended');
  const back = new HexClient(broker.port);
  sockets.push(back);
  back.send(
    packetHex('10', `00044d515454 05 c0 0000 ${SESSION_KEPT} ${text('dev-2')} ${text('dev-2')} ${text('secret')}`),
  );
  await until(() => payloads(back) === '1111', 'all four');
});

test('QoS 2 that was sent stays with its member [MQTT-4.8.2-4], and dies with its session [MQTT-4.8.2-5]', async () => {
  const one = await member('dev-1', 2, '05 11 00000001');
  await publish('app/x', '1', 2);
  await until(() => payloads(one) === '1', 'it is sent');
  const other = await member('dev-2', 2);
  one.socket.destroy();
  await until(() => broker.broker.statistics().sessions === 1, 'the session has ended');
  await publish('app/x', '2', 2);
  await until(() => payloads(other) === '2', 'the next message');
});

test('a message that a member refuses is over [MQTT-4.8.2-6]', async () => {
  const [one, other] = [await member('dev-1', 1), await member('dev-2', 1)];
  await publish('app/x', '1', 1);
  await until(() => [one, other].map(payloads).join('') === '1', 'one has it');
  const [holder, next] = payloads(one) === '1' ? [one, other] : [other, one];
  holder.send('4003000187');
  await publish('app/x', '2', 1);
  await until(() => [one, other].map(payloads).join('').includes('2'), 'the next message');
  expect(payloads(next)).not.toContain('1');
});
