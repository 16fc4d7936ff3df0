/** Many retained topics under one new subscription: sent as fast as the client reads, none dropped, none twice. */
import type { MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { connectClient, startBroker, type TestBroker, until } from './testing/harness.ts';

const TOPICS = 5_000;

let broker: TestBroker;
const clients: MqttClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await broker.broker.stop();
});

async function startWithRetained(): Promise<void> {
  // Little room: all of it together would never fit.
  broker = await startBroker({ limits: { outboundBytesPerConnectionMax: 70_000, queueBytesPerSessionMax: 20_000 } });
  const payload = Buffer.alloc(200, 0x61);
  for (let index = 0; index < TOPICS; index++) {
    await broker.broker.publish({ organizationId: 'org-1', topic: `app/${index}`, payload, qos: 1, retain: true });
  }
}

test.each([0, 1, 2] as const)('QoS %i: every retained message arrives once', async (qos) => {
  await startWithRetained();
  const client = await connectClient(broker, 'dev-1');
  clients.push(client);
  const topics: string[] = [];
  client.on('message', (topic) => topics.push(topic));
  await client.subscribeAsync('app/#', { qos });
  await until(() => topics.length >= TOPICS, 'all retained messages', 20_000);
  expect(new Set(topics).size).toBe(TOPICS);
  expect(topics).toHaveLength(TOPICS);
  expect(Object.values(broker.broker.statistics().dropped).every((count) => count === 0)).toBe(true);
});

test('unsubscribing ends it', async () => {
  await startWithRetained();
  const client = await connectClient(broker, 'dev-1', { properties: { receiveMaximum: 1 } });
  clients.push(client);
  let count = 0;
  client.on('message', () => {
    count += 1;
  });
  await client.subscribeAsync('app/#', { qos: 1 });
  await client.unsubscribeAsync('app/#');
  await client.subscribeAsync('none', { qos: 1 });
  expect(count).toBeLessThan(TOPICS);
});
