/**
 * What a broker and clients that we did not write agree on and tell each other: limits both ways, keep-alive, client ids, reasons,
 * the broker's own topics, and sessions that outlive the broker. With mqtt.js, Mosquitto's programs and Eclipse Paho.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { startBroker, type TestBroker, until } from './testing/harness.ts';
import { able, addressOf, arrived, CLIENTS, Subscribers, texts } from './testing/stock-clients/clients.ts';
import { mqttJs } from './testing/stock-clients/mqtt-js.ts';
import type { Address } from './testing/stock-clients/stock-client.ts';
import { WireTap } from './testing/stock-clients/wire-tap.ts';

const VISITORS = CLIENTS.filter(({ visit }) => visit !== undefined);
const VISITOR = { clientId: 'visitor', userName: 'visitor' } as const;
const SLEEPER = { clientId: 'sleeper', clean: false, sessionExpiryS: 100 } as const;

let broker: TestBroker;
let five: Address;
const subscribers = new Subscribers();
const cleanUp: (() => unknown)[] = [];

async function start(options: Partial<BrokerOptions> = {}): Promise<void> {
  broker = await startBroker(options);
  five = addressOf(broker, 5);
}

/** The same broker, seen through a tap. */
async function tapped(): Promise<{ tap: WireTap; address: Address }> {
  const tap = await WireTap.open(five.port);
  cleanUp.push(() => tap.close());
  return { tap, address: { ...five, port: tap.port } };
}

afterEach(async () => {
  subscribers.killAll();
  await broker.broker.stop();
  for (const undo of cleanUp.splice(0)) await undo();
});

const numbered = (count: number, qos: 1 | 2) =>
  Array.from({ length: count }, (_, index) => ({ topic: 'app/x', payload: `${index}`, qos }));

describe.each(CLIENTS)('$name', (client) => {
  test.each([1, 2] as const)('its receive maximum, QoS %i: all come, two at a time', async (qos) => {
    await start();
    await (await subscribers.add(client, five, SLEEPER)).stop();
    const messages = numbered(30, qos);
    await mqttJs.publish(five, 'speaker', messages);
    const { tap, address } = await tapped();
    const subscriber = await subscribers.add(client, address, { ...SLEEPER, receiveMaximum: 2 });
    await arrived(subscriber, 30);
    expect(texts(subscriber)).toEqual(messages.map(({ payload }) => payload));
    expect(tap.mostUnansweredTo('client')).toBe(2);
  });

  test('its maximum packet size: what is larger is left out, all else comes', async () => {
    await start();
    const { tap, address } = await tapped();
    const subscriber = await subscribers.add(client, address, { packetBytesMax: 200 });
    const payloads = ['first', 'x'.repeat(150), 'x'.repeat(300), 'last'];
    await mqttJs.publish(
      five,
      'speaker',
      payloads.map((payload) => ({ topic: 'app/x', payload, qos: 1 as const })),
    );
    await until(() => texts(subscriber).includes('last'), 'the last message');
    expect(texts(subscriber).map(({ length }) => length)).toEqual([5, 150, 4]);
    expect(tap.largestPublishTo('client')).toBeLessThanOrEqual(200);
    expect(broker.broker.statistics().dropped['packet-too-large']).toBe(1);
  });

  test("the broker's topics: its numbers again and again, and none of them under #", async () => {
    await start({ limits: { systemIntervalMs: 100 } });
    const numbers = await subscribers.add(client, five, { clientId: 'watcher', filter: '$SYS/broker/#' });
    const all = await subscribers.add(client, five, { filter: '#' });
    const connected = (): string[] =>
      numbers.received.filter(({ topic }) => topic === '$SYS/broker/clients/connected').map(({ payload }) => payload);
    await until(() => connected().includes('2'), 'the number of clients');
    const count = connected().length;
    await until(() => connected().length > count, 'the number once more');
    await mqttJs.publish(five, 'speaker', [{ topic: 'app/x', payload: 'ordinary', qos: 1 }]);
    await arrived(all, 1);
    expect(texts(all)).toEqual(['ordinary']);
  });

  test.each([4, 5] as const)('what waits for it outlives the broker, MQTT version %i', async (version) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'fieldline-broker-'));
    cleanUp.push(() => rm(dataDir, { recursive: true }));
    await start({ dataDir });
    await (await subscribers.add(client, addressOf(broker, version), SLEEPER)).stop();
    await client.publish(addressOf(broker, version), 'speaker', [
      ...numbered(3, 1),
      ...numbered(3, 2).map((message) => ({ ...message, payload: `two-${message.payload}` })),
      { topic: 'app/kept', payload: 'kept', qos: 1, retain: true },
    ]);
    await broker.broker.stop();
    await start({ dataDir });
    const awake = await subscribers.add(client, addressOf(broker, version), SLEEPER);
    // The retained one waits in the queue, and comes once more for the subscription that is made anew.
    await arrived(awake, 8);
    const heard = (start: RegExp): string[] => texts(awake).filter((payload) => start.test(payload));
    expect(heard(/^\d/)).toEqual(['0', '1', '2']);
    expect(heard(/^two/)).toEqual(['two-0', 'two-1', 'two-2']);
    const kept = awake.received.filter(({ payload }) => payload === 'kept');
    expect(kept.map(({ retain }) => retain).sort()).toEqual([false, true]);
  });
});

test.each(able('server keep-alive'))('$name pings as often as the broker wants', async (client) => {
  await start({ limits: { keepAliveMaxS: 1 } });
  const { tap, address } = await tapped();
  const subscriber = await subscribers.add(client, address, { keepAliveS: 60 });
  await until(() => tap.pings >= 2, 'two pings', 10_000);
  await mqttJs.publish(five, 'speaker', [{ topic: 'app/x', payload: 'still there', qos: 1 }]);
  await arrived(subscriber, 1);
});

describe.each(VISITORS)('$name is told', (client) => {
  test('the terms of the broker', async () => {
    await start({ limits: { receiveMaximum: 2, packetBytesMax: 2_000, keepAliveMaxS: 30, sessionExpiryMaxS: 60 } });
    const { connack } = await client.visit!(five, { ...VISITOR, sessionExpiryS: 100 });
    expect(connack).toEqual({
      reasonCode: 0,
      sessionPresent: false,
      receiveMaximum: 2,
      packetBytesMax: 2_000,
      serverKeepAliveS: 30,
      sessionExpiryS: 60,
    });
  });

  test('a client id that it can come back with', async () => {
    await start();
    const first = await client.visit!(five, { ...VISITOR, clientId: '', sessionExpiryS: 100 });
    const clientId = first.connack?.assignedClientId;
    expect(clientId).toBe(broker.events[0]!.clientId);
    const second = await client.visit!(five, { ...VISITOR, clientId: clientId!, clean: false, sessionExpiryS: 100 });
    expect(second.connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    expect(second.connack?.assignedClientId).toBeUndefined();
  });

  test('0x86, 0x8C in CONNACK, with the reason', async () => {
    await start();
    expect((await client.visit!(five, { ...VISITOR, password: 'wrong' })).connack).toMatchObject({
      reasonCode: 0x86,
      reasonString: 'unknown device or wrong token',
    });
    const enhanced = await client.visit!(five, { ...VISITOR, authenticationMethod: 'SCRAM-SHA-256' });
    expect(enhanced.connack).toMatchObject({
      reasonCode: 0x8c,
      reasonString: expect.stringContaining('enhanced authentication is not offered'),
    });
    expect(broker.broker.statistics().connections).toBe(0);
  });

  test('0x87 in SUBACK and PUBACK, with the reason, and goes on; 0x11 in UNSUBACK', async () => {
    await start();
    const told = await client.visit!(five, {
      ...VISITOR,
      subscribe: 'secret/x',
      unsubscribe: 'app/never',
      publish: [{ topic: 'v1/telemetry/org-1/other', payload: '1', qos: 1 }],
    });
    expect(told.suback).toEqual({ reasonCode: 0x87, reasonString: 'not yours' });
    expect(told.puback).toMatchObject({
      reasonCode: 0x87,
      reasonString: expect.stringContaining('visitor may not publish on v1/telemetry/org-1/other'),
    });
    expect(told.unsuback).toMatchObject({ reasonCode: 0x11 });
    expect(told.disconnect).toBeUndefined();
  });

  test('0x10 in PUBACK where nobody listens', async () => {
    await start();
    const told = await client.visit!(five, {
      ...VISITOR,
      publish: [{ topic: 'app/x', payload: '1', qos: 1 }],
    });
    expect(told.puback).toMatchObject({ reasonCode: 0x10 });
  });

  test('0x95 in DISCONNECT after a packet that is too large', async () => {
    await start({ limits: { packetBytesMax: 2_000 } });
    const publish = [{ topic: 'app/x', payload: 'x'.repeat(3_000), qos: 1 as const }];
    const told = await client.visit!(five, { ...VISITOR, publish });
    expect(told.disconnect).toMatchObject({ reasonCode: 0x95, reasonString: expect.any(String) });
    expect(told.puback).toBeUndefined();
  });

  test('0x93 in DISCONNECT after more than the receive maximum without an answer', async () => {
    await start({ limits: { receiveMaximum: 2 } });
    const durable = Promise.withResolvers<void>();
    broker.beforeAppend = () => durable.promise;
    cleanUp.push(() => durable.resolve());
    const publish = Array.from({ length: 5 }, () => ({
      topic: 'v1/telemetry/org-1/visitor',
      payload: '1',
      qos: 1 as const,
    }));
    const told = await client.visit!(five, { ...VISITOR, publish });
    durable.resolve();
    expect(told.disconnect).toMatchObject({ reasonCode: 0x93 });
  });
});
