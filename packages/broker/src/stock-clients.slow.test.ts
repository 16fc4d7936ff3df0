/**
 * Every feature with clients that we did not write: mqtt.js, Mosquitto's programs, and Eclipse Paho where python3 has it
 * (`pip install paho-mqtt`). Each publishes to each.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBroker, type TestBroker, until } from './testing/harness.ts';
import { able, addressOf, arrived, CLIENTS, Subscribers, texts } from './testing/stock-clients/clients.ts';
import { mqttJs } from './testing/stock-clients/mqtt-js.ts';
import type { Address, StockClient, StockSubscriber, SubscribeRequest } from './testing/stock-clients/stock-client.ts';
import { WireTap } from './testing/stock-clients/wire-tap.ts';

const PAIRS = CLIENTS.flatMap((from) => CLIENTS.map((to) => ({ from, to, name: `${from.name} to ${to.name}` })));
const VERSIONS = [4, 5] as const;

let broker: TestBroker;
let five: Address;
const subscribers = new Subscribers();

beforeEach(async () => {
  const listener = { host: '127.0.0.1', port: 0 };
  broker = await startBroker({ listeners: { tcp: [listener], ws: [listener] } });
  five = addressOf(broker, 5);
});

afterEach(async () => {
  subscribers.killAll();
  await broker.broker.stop();
});

const subscribe = (
  client: StockClient,
  request: Partial<SubscribeRequest> = {},
  address = five,
): Promise<StockSubscriber> => subscribers.add(client, address, request);

describe.each(PAIRS)('$name', ({ from, to }) => {
  test.each(VERSIONS)('QoS 0, 1 and 2, MQTT version %s', async (version) => {
    const address = addressOf(broker, version);
    const subscriber = await subscribe(to, {}, address);
    const messages = ([0, 1, 2] as const).flatMap((qos) =>
      ['a', 'b', 'c'].map((letter) => ({ topic: `app/${qos}`, payload: `${letter}${qos}`, qos })),
    );
    await from.publish(address, 'speaker', messages);
    await arrived(subscriber, 9);
    expect(subscriber.received.map(({ topic, payload, qos }) => ({ topic, payload, qos }))).toEqual(messages);
  });

  test('content type, user property, response topic, correlation data, expiry', async () => {
    const subscriber = await subscribe(to);
    const message = {
      topic: 'app/x',
      payload: '21.5',
      qos: 1,
      contentType: 'text/plain',
      responseTopic: 'app/answer',
      correlationData: 'c-1',
      userProperty: ['line', '7'],
    } as const;
    await from.publish(five, 'speaker', [{ ...message, expiryS: 100 }]);
    await arrived(subscriber, 1);
    const { expiryS, ...rest } = subscriber.received[0]!;
    expect(rest).toEqual({ ...message, retain: false });
    expect(expiryS).toBeGreaterThan(90);
    expect(expiryS).toBeLessThanOrEqual(100);
  });

  test('request and response', async () => {
    const requester = await subscribe(from, { clientId: 'requester', filter: 'app/answers/1' });
    const responder = await subscribe(to, { clientId: 'responder', filter: 'app/requests' });
    const request = {
      topic: 'app/requests',
      payload: 'how much',
      responseTopic: 'app/answers/1',
      correlationData: '42',
    };
    await from.publish(five, 'speaker', [request]);
    await arrived(responder, 1);
    const { responseTopic, correlationData } = responder.received[0]!;
    await to.publish(five, 'answerer', [
      { topic: responseTopic!, payload: 'so much', correlationData: correlationData! },
    ]);
    await arrived(requester, 1);
    expect(requester.received[0]).toMatchObject({ payload: 'so much', correlationData: '42' });
  });

  test('retained: kept, told as such, taken away', async () => {
    await from.publish(five, 'speaker', [{ topic: 'app/r', payload: 'kept', qos: 1, retain: true }]);
    const subscriber = await subscribe(to);
    await arrived(subscriber, 1);
    await from.publish(five, 'speaker', [{ topic: 'app/r', payload: 'live', qos: 1, retain: true }]);
    await arrived(subscriber, 2);
    expect(subscriber.received.map(({ payload, retain }) => [payload, retain])).toEqual([
      ['kept', true],
      ['live', false],
    ]);
    await mqttJs.publish(five, 'speaker', [{ topic: 'app/r', payload: '', qos: 1, retain: true }]);
    expect(broker.broker.statistics().retainedMessages).toBe(0);
  });

  test.each(VERSIONS)('what came while a subscriber was away, MQTT version %s', async (version) => {
    const address = addressOf(broker, version);
    const session = { clientId: 'sleeper', clean: false, sessionExpiryS: 100, qos: 1 } as const;
    await (await subscribe(to, session, address)).stop();
    await from.publish(
      address,
      'speaker',
      ['1', '2', '3'].map((payload) => ({ topic: 'app/x', payload, qos: 1 as const })),
    );
    const awake = await subscribe(to, session, address);
    await arrived(awake, 3);
    expect(texts(awake)).toEqual(['1', '2', '3']);
  });

  test('a message that has expired does not come', async () => {
    const session = { clientId: 'sleeper', clean: false, sessionExpiryS: 100 } as const;
    await (await subscribe(to, session)).stop();
    await from.publish(five, 'speaker', [
      { topic: 'app/x', payload: 'brief', qos: 1, expiryS: 1 },
      { topic: 'app/x', payload: 'lasting', qos: 1, expiryS: 100 },
    ]);
    const startedMs = performance.now();
    await until(() => performance.now() - startedMs > 1_100, 'a second has passed');
    const awake = await subscribe(to, session);
    await arrived(awake, 1);
    expect(texts(awake)).toEqual(['lasting']);
  });

  test('topic aliases of a publisher', async () => {
    const subscriber = await subscribe(to);
    await from.publish(
      five,
      'speaker',
      ['1', '2', '3'].map((payload) => ({ topic: 'app/x', payload, qos: 1 as const, topicAlias: 1 })),
    );
    await arrived(subscriber, 3);
    expect(subscriber.received.map(({ topic, payload }) => `${topic} ${payload}`)).toEqual([
      'app/x 1',
      'app/x 2',
      'app/x 3',
    ]);
  });
});

describe.each(CLIENTS)('$name', (client) => {
  test.each(VERSIONS)('will, MQTT version %s', async (version) => {
    const address = addressOf(broker, version);
    const watcher = await subscribe(mqttJs, { clientId: 'watcher', filter: 'app/will' });
    const will = { topic: 'app/will', payload: 'gone', delayS: 0 };
    const doomed = await subscribe(client, { clientId: 'doomed', filter: 'app/x', will }, address);
    doomed.kill();
    await arrived(watcher, 1);
    const leaver = await subscribe(client, { clientId: 'leaver', filter: 'app/x', will }, address);
    await leaver.stop();
    await mqttJs.publish(five, 'speaker', [{ topic: 'app/will', payload: 'after' }]);
    await until(() => texts(watcher).includes('after'), 'the last message');
    const isQuiet = version === 4 || client.supports.has('quiet leave');
    expect(texts(watcher)).toEqual(isQuiet ? ['gone', 'after'] : ['gone', 'gone', 'after']);
  });

  test('will delay: the will comes when it is over, and not where the client is back', async () => {
    const watcher = await subscribe(mqttJs, { clientId: 'watcher', filter: 'app/will' });
    const doomed = { clientId: 'doomed', filter: 'app/x', clean: false, sessionExpiryS: 100 } as const;
    const first = await subscribe(client, { ...doomed, will: { topic: 'app/will', payload: 'too soon', delayS: 1 } });
    first.kill();
    await until(() => broker.broker.statistics().connections === 1, 'the first is gone');
    const second = await subscribe(client, { ...doomed, will: { topic: 'app/will', payload: 'gone', delayS: 1 } });
    const killedMs = performance.now();
    second.kill();
    await arrived(watcher, 1);
    expect(performance.now() - killedMs).toBeGreaterThan(900);
    expect(texts(watcher)).toEqual(['gone']);
  });

  test('shared subscription: each message to one member, all have their part', async () => {
    const members = [
      await subscribe(client, { clientId: 'member-1', filter: '$share/g/app/#' }),
      await subscribe(client, { clientId: 'member-2', filter: '$share/g/app/#' }),
    ];
    const messages = Array.from({ length: 40 }, (_, index) => ({
      topic: `app/${index}`,
      payload: `${index}`,
      qos: 1 as const,
    }));
    await mqttJs.publish(five, 'speaker', messages);
    await until(() => members.flatMap(texts).length === 40, '40 messages');
    expect(
      members
        .flatMap(texts)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(messages.map((_, index) => index));
    for (const member of members) expect(member.received.length).toBeGreaterThan(0);
  });

  test('subscription identifier', async () => {
    const subscriber = await subscribe(client, { identifier: 268_435_455 });
    await mqttJs.publish(five, 'speaker', [{ topic: 'app/x', payload: 'x' }]);
    await arrived(subscriber, 1);
    expect(subscriber.received[0]!.subscriptionIdentifiers).toEqual([268_435_455]);
  });

  test('a second connection takes the session over', async () => {
    await subscribe(client, { clientId: 'twin' });
    await subscribe(client, { clientId: 'twin' });
    await until(() => broker.events.some(({ reasonCode }) => reasonCode === 0x8e), 'the first is told 0x8E');
  });
});

test.each(able('websocket'))('$name over WebSocket', async (client) => {
  for (const version of VERSIONS) {
    const address = addressOf(broker, version, 'websocket');
    const subscriber = await subscribe(client, { clientId: `listener-${version}` }, address);
    await client.publish(address, 'speaker', [{ topic: 'app/x', payload: 'over WebSocket', qos: 2 }]);
    await arrived(subscriber, 1);
    expect(subscriber.received[0]).toMatchObject({ payload: 'over WebSocket', qos: 2 });
  }
});

test.each(able('retain options'))('$name: retain as published, retain handling', async (client) => {
  await mqttJs.publish(five, 'speaker', [{ topic: 'app/r', payload: 'kept', qos: 1, retain: true }]);
  const subscriber = await subscribe(client, { retainAsPublished: true, retainHandling: 2 });
  await mqttJs.publish(five, 'speaker', [
    { topic: 'app/x', payload: 'live, retained', qos: 1, retain: true },
    { topic: 'app/x', payload: 'live', qos: 1 },
  ]);
  await arrived(subscriber, 2);
  expect(subscriber.received.map(({ payload, retain }) => [payload, retain])).toEqual([
    ['live, retained', true],
    ['live', false],
  ]);
});

test.each(able('retain options'))('$name: retain handling 0, 1 and 2', async (client) => {
  await mqttJs.publish(five, 'speaker', [{ topic: 'app/r', payload: 'kept', qos: 1, retain: true }]);
  const session = { clientId: 'again', clean: false, sessionExpiryS: 100 } as const;
  // Subscribed for the first time and once more, then a live message: what came before it.
  const heardWith = async (retainHandling: 0 | 1 | 2): Promise<string[][]> => {
    const heard: string[][] = [];
    for (const live of ['first', 'second']) {
      const clientId = `${session.clientId}-${retainHandling}`;
      const subscriber = await subscribe(client, { ...session, clientId, retainHandling });
      await mqttJs.publish(five, 'speaker', [{ topic: 'app/x', payload: live, qos: 1 }]);
      await until(() => texts(subscriber).includes(live), live);
      heard.push(texts(subscriber));
      await subscriber.stop();
    }
    return heard;
  };
  expect(await heardWith(0)).toEqual([
    ['kept', 'first'],
    ['kept', 'second'],
  ]);
  expect(await heardWith(1)).toEqual([['kept', 'first'], ['second']]);
  expect(await heardWith(2)).toEqual([['first'], ['second']]);
});

test.each(able('no local'))('$name: what it says itself comes back, and not with "no local"', async (client) => {
  for (const noLocal of [false, true]) {
    const subscriber = await subscribe(client, { clientId: `self-${noLocal}`, noLocal, qos: 1 });
    const before = broker.broker.statistics().messagesReceived;
    subscriber.say!({ topic: 'app/x', payload: 'my own', qos: 1 });
    await until(() => broker.broker.statistics().messagesReceived > before, 'its message at the broker');
    await mqttJs.publish(five, 'other', [{ topic: 'app/x', payload: 'from another', qos: 1 }]);
    await until(() => texts(subscriber).includes('from another'), 'the message of another');
    expect(texts(subscriber)).toEqual(noLocal ? ['from another'] : ['my own', 'from another']);
    await subscriber.stop();
  }
});

test.each(able('aliases from the server'))('$name: topic aliases of the broker', async (client) => {
  const tap = await WireTap.open(five.port);
  const subscriber = await subscribe(client, { topicAliasMaximum: 2 }, { ...five, port: tap.port });
  const topics = ['app/a', 'app/b', 'app/c', 'app/a', 'app/b', 'app/c'];
  await mqttJs.publish(
    five,
    'speaker',
    topics.map((topic) => ({ topic, payload: 'x', qos: 1 as const })),
  );
  await arrived(subscriber, 6);
  expect(subscriber.received.map(({ topic }) => topic)).toEqual(topics);
  // Two aliases for three topics: the first two come by alias alone, the third never.
  expect(tap.topicsTo('client')).toEqual(['app/a', 'app/b', 'app/c', '', '', 'app/c']);
  tap.close();
});
