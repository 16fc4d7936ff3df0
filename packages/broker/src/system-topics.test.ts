/** $SYS/broker/…: numbers of one's own organisation, for those who ask for them by name and may. */
import type { MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import type { BrokerLimits } from './options.ts';
import { connectClient, startBroker, type TestBroker, until } from './testing/harness.ts';

let broker: TestBroker;
const clients: MqttClient[] = [];

async function start(limits: Partial<BrokerLimits> = { systemIntervalMs: 250 }): Promise<void> {
  broker = await startBroker({ limits });
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await broker.broker.stop();
});

async function client(deviceId: string): Promise<{ mqtt: MqttClient; received: Map<string, string[]> }> {
  const mqtt = await connectClient(broker, deviceId);
  clients.push(mqtt);
  const received = new Map<string, string[]>();
  mqtt.on('message', (topic, payload) => {
    received.set(topic, [...(received.get(topic) ?? []), payload.toString()]);
  });
  return { mqtt, received };
}

test('each organisation has its own numbers, at once and again and again', async () => {
  await start();
  const one = await client('dev-1@org-1');
  await (await client('dev-2@org-1')).mqtt.subscribeAsync('app/#');
  const stranger = await client('dev-1@org-2');
  await one.mqtt.publishAsync('app/x', 'kept', { qos: 1, retain: true });
  await one.mqtt.subscribeAsync('$SYS/broker/#');
  await stranger.mqtt.subscribeAsync('$SYS/broker/clients/+');
  await until(() => one.received.size === 7 && stranger.received.size === 3, 'the numbers');
  const first = (topic: string): string | undefined => one.received.get(`$SYS/broker/${topic}`)?.[0];
  expect(first('clients/connected')).toBe('2');
  expect(first('subscriptions/count')).toBe('2');
  expect(first('retained messages/count')).toBe('1');
  expect(stranger.received.get('$SYS/broker/clients/total')?.[0]).toBe('1');
  await until(() => (one.received.get('$SYS/broker/uptime')?.length ?? 0) >= 3, 'they come again');
  (await client('dev-3@org-1')).mqtt.subscribe('app/y');
  await until(() => one.received.get('$SYS/broker/clients/connected')?.at(-1) === '3', 'a new client counts');
});

test("'#', '+' and the rights keep them away [MQTT-4.7.2-1]", async () => {
  await start();
  const one = await client('dev-1');
  await one.mqtt.subscribeAsync(['#', '+/broker/#']);
  const other = await client('dev-2');
  await other.mqtt.subscribeAsync('$SYS/broker/uptime');
  await until(() => (other.received.get('$SYS/broker/uptime')?.length ?? 0) >= 3, 'the other one gets them');
  expect([...one.received.keys()]).toEqual([]);
});

test('nobody but the broker publishes there (4.7.2), not even by will', async () => {
  await start();
  const one = await client('dev-1');
  await expect(one.mqtt.publishAsync('$SYS/broker/uptime', '1', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
  const will = { topic: '$SYS/broker/uptime', payload: Buffer.from('1'), qos: 1 as const, retain: false };
  await expect(connectClient(broker, 'dev-2', { will })).rejects.toMatchObject({ code: 0x87 });
});

test('systemIntervalMs 0: there are none', async () => {
  await start({ systemIntervalMs: 0 });
  const one = await client('dev-1');
  await one.mqtt.subscribeAsync(['$SYS/#', 'app/#'], { qos: 1 });
  await one.mqtt.publishAsync('app/x', 'x', { qos: 1 });
  await until(() => one.received.has('app/x'), 'the ordinary message');
  expect(one.received.size).toBe(1);
});
