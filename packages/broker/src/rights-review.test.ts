/** A right to subscribe that is taken away: nothing more is delivered through it, to whoever is connected or comes back. */
import type { MqttClient } from 'mqtt';
import { connect as mqttConnect } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { connectClient, startBroker, type TestBroker, until } from './testing/harness.ts';

let broker: TestBroker;
const clients: MqttClient[] = [];
const KEPT = { clean: false, properties: { sessionExpiryInterval: 100 } };

async function start(): Promise<Set<string>> {
  const forbidden = new Set<string>();
  broker = await startBroker({
    maySubscribe: ({ deviceId }, filter) =>
      forbidden.has(`${deviceId} ${filter}`)
        ? { allowed: false, reasonCode: 0x87, reason: 'not any more' }
        : { allowed: true },
  });
  return forbidden;
}

async function client(deviceId: string, options = {}): Promise<MqttClient> {
  const connected = await connectClient(broker, deviceId, options);
  clients.push(connected);
  return connected;
}

function collect(from: MqttClient): string[] {
  const messages: string[] = [];
  from.on('message', (topic, payload) => messages.push(`${topic} ${payload}`));
  return messages;
}

function publish(topic: string, payload: string): Promise<void> {
  return broker.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from(payload), qos: 1 });
}

/** Comes back to its session; what waits for it comes with CONNACK. */
function comeBack(deviceId: string): string[] {
  const login = { clientId: deviceId, username: deviceId, password: 'secret' };
  const terms = { protocolVersion: 5, reconnectPeriod: 0 } as const;
  const back = mqttConnect({ host: '127.0.0.1', port: broker.port, ...login, ...terms, ...KEPT });
  clients.push(back);
  return collect(back);
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((each) => each.endAsync(true)));
  await broker.broker.stop();
});

test('a connected client gets no more of it, and goes on with the rest', async () => {
  const forbidden = await start();
  const messages = collect(await client('dev-1'));
  await clients[0]!.subscribeAsync(['app/secret', 'app/open'], { qos: 1 });
  await publish('app/secret', 'before');
  await until(() => messages.length === 1, 'the message before');
  forbidden.add('dev-1 app/secret');
  broker.broker.forgetRoutes();
  await until(() => broker.broker.statistics().subscriptions === 1, 'one subscription is left');
  await publish('app/secret', 'after');
  await publish('app/open', 'after');
  await until(() => messages.length === 2, 'the message of the other topic');
  expect(messages).toEqual(['app/secret before', 'app/open after']);
});

test('what waits for a client that is away goes, unless another filter of its own has it, too', async () => {
  const forbidden = await start();
  const away = await client('dev-1', KEPT);
  await away.subscribeAsync(['app/+/secret', 'app/a/#', '$share/g/app/+/secret'], { qos: 1 });
  await away.endAsync();
  await publish('app/b/secret', 'once as itself, once as a member');
  await publish('app/a/secret', 'as itself, as a member');
  await publish('app/a/x', 'allowed');
  forbidden.add('dev-1 app/+/secret');
  broker.broker.forgetRoutes();
  await until(() => broker.broker.statistics().subscriptions === 1, 'one subscription is left');
  expect(broker.broker.statistics().dropped['not-allowed']).toBe(3);
  const messages = comeBack('dev-1');
  await until(() => messages.length >= 2, 'what is allowed');
  expect(messages).toEqual(['app/a/secret as itself, as a member', 'app/a/x allowed']);
});

test('what waits for a member of a share goes to the others', async () => {
  const forbidden = await start();
  const away = await client('dev-1', KEPT);
  await away.subscribeAsync('$share/g/app/x', { qos: 1 });
  await away.endAsync();
  const other = await client('dev-2', KEPT);
  await other.subscribeAsync('$share/g/app/x', { qos: 1 });
  await other.endAsync();
  for (const payload of ['1', '2']) await publish('app/x', payload);
  forbidden.add('dev-1 app/x');
  broker.broker.forgetRoutes();
  await until(() => broker.broker.statistics().subscriptions === 1, 'one subscription is left');
  const messages = comeBack('dev-2');
  await until(() => messages.length === 2, 'both messages');
  expect(broker.broker.statistics().dropped['not-allowed']).toBe(0);
});

test('rights that change while they are reviewed are asked for once more', async () => {
  const forbidden = await start();
  await Promise.all(Array.from({ length: 20 }, (_, index) => client(`dev-${index}`)));
  await Promise.all(clients.map((each) => each.subscribeAsync('app/x')));
  for (let index = 0; index < 20; index++) {
    forbidden.add(`dev-${index} app/x`);
    broker.broker.forgetRoutes();
  }
  await until(() => broker.broker.statistics().subscriptions === 0, 'no subscription is left');
});
