/** What the broker says on the wire, in hex: refusals, limits, flow control, topic aliases, QoS 2, time-outs. */
import { afterEach, describe, expect, test } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker;
const sockets: HexClient[] = [];

async function start(overrides: Partial<BrokerOptions> = {}): Promise<void> {
  broker = await startBroker(overrides);
}

function raw(): HexClient {
  const socket = new HexClient(broker.port);
  sockets.push(socket);
  return socket;
}

async function open(protocolVersion: 4 | 5 = 5, deviceId = 'dev-9', connectProperties = '00'): Promise<HexClient> {
  const socket = raw();
  await socket.open(protocolVersion, deviceId, connectProperties);
  return socket;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  await broker.broker.stop();
});

const OWN = text('v1/telemetry/org-1/dev-9');
const PING = 'c000';
const PONG = 'd000';

describe('a violation ends the connection with its reason; MQTT 3.1.1 is just closed', () => {
  const cases: [name: string, hex: string, reason: string][] = [
    ['second CONNECT', packetHex('10', `00044d515454 05 02 0000 00 ${text('x')}`), '82'],
    ['malformed SUBSCRIBE', packetHex('82', `0001 00 ${text('a#')} 00`), '81'],
    ['wildcard in a topic', packetHex('30', `${text('a/+')} 00`), '81'],
    ['bad UTF-8 in a topic', packetHex('30', '0002 c328 00'), '81'],
    ['topic of too many levels', packetHex('30', `${text('/'.repeat(40))} 00`), '90'],
    ['alias over the maximum', packetHex('30', `${OWN} 03 23 0021`), '94'],
    ['alias that was not set', packetHex('30', '0000 03 23 0001'), '82'],
    ['packet that is too large', '30 ffff7f', '95'],
    ['reserved type', '00 00', '81'],
    ['AUTH', 'f000', '82'],
    ['session expiry raised from 0', packetHex('e0', '00 05 11 0000000a'), '82'],
  ];
  test.each(cases)('%s', async (_, hex, reason) => {
    await start();
    const client = await open();
    const neighbour = await open(4, 'dev-8');
    client.send(hex);
    await client.closed();
    expect(client.hex).toMatch(new RegExp(`^e0..${reason}`));
    neighbour.send(PING);
    await until(() => neighbour.hex === PONG, 'the neighbour is served');
  });

  test('3.1.1', async () => {
    await start();
    const client = await open(4);
    client.send(packetHex('30', text('a/+')));
    await client.closed();
    expect(client.hex).toBe('');
  });
});

describe('CONNECT', () => {
  const cases: [name: string, hex: string, answer: RegExp][] = [
    ['MQTT 5: malformed', packetHex('10', `00044d515454 05 03 0000 00 ${text('x')}`), /^20..0081/],
    [
      'MQTT 5: authentication method',
      packetHex('10', `00044d515454 05 02 0000 04 15 ${text('x')} ${text('x')}`),
      /^20..008c/,
    ],
    ['MQTT 5: no credentials', packetHex('10', `00044d515454 05 02 0000 00 ${text('x')}`), /^20..0086/],
    ['3.1.1: no credentials', packetHex('10', `00044d515454 04 02 0000 ${text('x')}`), /^20020004$/],
    ['3.1.1: empty client id without clean session', packetHex('10', '00044d515454 04 00 0000 0000'), /^20020002$/],
    ['MQTT 3.1', packetHex('10', `00064d5149736470 03 02 0000 ${text('x')}`), /^20020001$/],
    ['level 9', packetHex('10', '00044d515454 09'), /^20..0084/],
    ['too large for somebody unknown', '10 81 80 04', /^$/],
    ['not CONNECT at all', PING, /^$/],
    ['not MQTT at all', Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex'), /^$/],
  ];
  test.each(cases)('%s', async (_, hex, answer) => {
    await start();
    const client = raw();
    client.send(hex);
    await client.closed();
    expect(client.hex).toMatch(answer);
    expect(broker.broker.statistics()).toMatchObject({ connections: 0, connectionsRefused: 1 });
  });

  test('packets right behind CONNECT wait for it', async () => {
    const gate = Promise.withResolvers<void>();
    await start({
      authenticate: async () => {
        await gate.promise;
        return { accepted: true, identity: { organizationId: 'org-1', deviceId: 'dev-9', kind: 'device' } };
      },
    });
    const client = raw();
    client.send(`${packetHex('10', `00044d515454 04 02 0000 ${text('x')}`)} ${packetHex('32', `${OWN} 0001 78`)} c0`);
    gate.resolve();
    client.send('00');
    await until(() => client.received.length === 10, 'CONNACK, PINGRESP, PUBACK');
    expect(client.hex).toContain('40020001');
    expect(broker.records).toHaveLength(1);
  });

  test('a check that breaks refuses', async () => {
    await start({ authenticate: () => Promise.reject(new Error('catalog away')) });
    const client = raw();
    client.send(packetHex('10', `00044d515454 05 02 0000 00 ${text('x')}`));
    await client.closed();
    expect(client.hex).toMatch(/^20..0088/);
  });

  test('the terms are told', async () => {
    await start({ limits: { receiveMaximum: 7, keepAliveMaxS: 30, packetBytesMax: 5000 } });
    const client = raw();
    client.send(packetHex('10', `00044d515454 05 c2 0000 00 ${text('d')}${text('d')}${text('secret')}`));
    await until(() => client.received.length > 5, 'CONNACK');
    for (const property of ['210007', '2700001388', '13001e']) expect(client.hex).toContain(property);
  });
});

describe('time-outs', () => {
  test('half-open: no CONNECT in time', async () => {
    await start({ limits: { connectTimeoutMs: 300 } });
    const silent = raw();
    const slow = raw();
    slow.send('10');
    await Promise.all([silent.closed(), slow.closed()]);
    expect(broker.broker.statistics()).toMatchObject({ connections: 0, connectionsRefused: 2 });
  });

  test('keep-alive: closed after one and a half times', async () => {
    await start();
    const client = raw();
    client.send(packetHex('10', `00044d515454 05 c2 0001 00 ${text('d')}${text('d')}${text('secret')}`));
    await until(() => client.received.length > 0, 'CONNACK');
    const startedMs = performance.now();
    await client.closed();
    expect(performance.now() - startedMs).toBeGreaterThan(1_400);
    expect(client.hex).toMatch(/e0..8d/);
  });
});

describe('flow control', () => {
  test('more than the receive maximum without an answer: 0x93', async () => {
    await start({ limits: { receiveMaximum: 3 } });
    const gate = Promise.withResolvers<void>();
    broker.beforeAppend = () => gate.promise;
    const client = await open();
    for (let id = 1; id <= 4; id++) client.send(packetHex('32', `${OWN} 000${id} 00 78`));
    await client.closed();
    expect(client.hex).toMatch(/^e0..93/);
    gate.resolve();
  });

  test("the client's receive maximum is kept", async () => {
    await start();
    const client = await open(5, 'dev-9', '03 21 0002');
    client.send(packetHex('82', `0001 00 ${text('app/x')} 01`));
    await until(() => client.received.length > 0, 'SUBACK');
    client.received = Buffer.alloc(0);
    for (const payload of ['a', 'b', 'c']) {
      await broker.broker.publish({ organizationId: 'org-1', topic: 'app/x', payload: Buffer.from(payload), qos: 1 });
    }
    const message = (id: number, payload: string): string =>
      packetHex('32', `${text('app/x')} 000${id} 00 ${payload}`).replaceAll(' ', '');
    await until(() => client.hex.endsWith(message(2, '62')), 'two messages');
    client.send(PING);
    await until(() => client.hex.endsWith(PONG), 'PINGRESP');
    expect(client.hex).toBe(message(1, '61') + message(2, '62') + PONG);
    client.send(packetHex('40', '0001'));
    await until(() => client.hex.endsWith(message(3, '63')), 'the third message');
  });

  test("packets over the client's maximum are left out and counted", async () => {
    await start();
    const client = await open(5, 'dev-9', '05 27 00000020');
    client.send(packetHex('82', `0001 00 ${text('#')} 01`));
    await until(() => client.received.length > 0, 'SUBACK');
    await broker.broker.publish({ organizationId: 'org-1', topic: 'app/x', payload: Buffer.alloc(50), qos: 1 });
    await broker.broker.publish({ organizationId: 'org-1', topic: 'app/x', payload: Buffer.from('ok'), qos: 1 });
    await until(() => client.hex.endsWith('6f6b'), 'the small message');
    expect(broker.broker.statistics().dropped['packet-too-large']).toBe(1);
  });
});

describe('QoS 2', () => {
  test('a packet that comes again before PUBREL is taken once', async () => {
    await start();
    const client = await open(4);
    const publish = packetHex('34', `${OWN} 0005 78`);
    client.send(publish);
    client.send(publish.replace('34', '3c'));
    await until(() => client.hex === '5002000550020005', 'PUBREC twice');
    client.send('62020005 62020005');
    await until(() => client.hex.endsWith('7002000570020005'), 'PUBCOMP twice');
    expect(broker.records).toHaveLength(1);
    client.send(publish);
    await until(() => broker.records.length === 2, 'the packet id is free again');
  });

  test('MQTT 5: PUBREL and PUBREC for unknown packet ids are answered 0x92', async () => {
    await start();
    const client = await open(5, 'dev-9', '02 17 00');
    client.send('62020009');
    await until(() => client.hex === '7003000992', 'PUBCOMP');
    client.send('5002000a');
    await until(() => client.hex.endsWith('6203000a92'), 'PUBREL');
  });
});

test('acknowledgements keep the order of the packets over all kinds of topics', async () => {
  await start();
  const client = await open(5, 'dev-9', '02 17 00');
  const packets = ['app/x', 'v1/telemetry/org-1/dev-9', 'not/mine', 'app/y', 'v1/telemetry/org-1/dev-9'].map(
    (topic, index) => packetHex('32', `${text(topic)} 000${index + 1} 00 78`),
  );
  client.send(packets.join(''));
  await until(() => client.received.length >= 23, 'five acknowledgements');
  expect(client.hex).toBe(['4003000110', '40020002', '4003000387', '4003000410', '40020005'].join(''));
});

describe('reasons in words', () => {
  const refusals: [name: string, packet: string, answer: RegExp][] = [
    ['PUBACK [MQTT-3.4.2-2]', packetHex('32', `${text('not/mine')} 0003 00 78`), /^40280003872[45]1f0021/],
    ['PUBREC [MQTT-3.5.2-2]', packetHex('34', `${text('not/mine')} 0003 00 78`), /^50280003872[45]1f0021/],
    ['PUBCOMP [MQTT-3.7.2-2]', '62020009', /^70..000992..1f/],
    ['PUBREL [MQTT-3.6.2-2]', '5002000a', /^62..000a92..1f/],
    ['SUBACK [MQTT-3.9.2-1]', packetHex('82', `0001 00 ${text('secret/1')} 00`), /^90..00010c1f0009[0-9a-f]{18}87$/],
    ['DISCONNECT [MQTT-3.14.2-3]', packetHex('30', '0000 03 23 0063 78'), /^e0..94..1f/],
  ];
  test.each(refusals)(
    '%s: told, unless the client does not want them or takes no such packet',
    async (_, packet, answer) => {
      await start();
      const client = await open();
      client.send(packet);
      await until(() => answer.test(client.hex), `an answer like ${answer}`);
      // 3.1.2.11.7; 3.1.2.11.4: a maximum of 17 bytes leaves room for CONNACK and none for words.
      for (const properties of ['02 17 00', '05 27 00000011']) {
        const silent = await open(5, 'dev-8', properties);
        silent.send(packet);
        await until(() => silent.received.length >= 3, 'the answer');
        expect(silent.received.length).toBeLessThanOrEqual(8);
        expect(silent.hex).not.toContain('1f00');
      }
    },
  );

  test('CONNACK: none where the client does not want to know [MQTT-3.2.2-19]', async () => {
    await start();
    const wrong = `${text('a')} ${text('dev-1')} ${text('wrong')}`;
    for (const [properties, expected] of [
      ['00', /^20..0086..1f/],
      ['02 17 00', /^2003008600$/],
      ['05 27 00000008', /^2003008600$/],
    ] as const) {
      const client = raw();
      client.send(packetHex('10', `00044d515454 05 c2 0000 ${properties} ${wrong}`));
      await client.closed();
      expect(client.hex).toMatch(expected);
    }
  });
});

test('a topic alias counts only when the packet that names it has gone out [MQTT-3.1.2-25]', async () => {
  await start();
  const subscriber = await open(5, 'dev-8', '08 22 0001 27 00000014');
  subscriber.send(packetHex('82', `0001 00 ${text('app/#')} 00`));
  await until(() => subscriber.received.length > 0, 'SUBACK');
  subscriber.received = Buffer.alloc(0);
  // 20 bytes at most: the first is too large with its topic, the second fits only without the alias, the third with it.
  for (const [topic, payload] of [
    ['app/x', 'much too much for it'],
    ['app/x', '12345678'],
    ['app/x', '1234'],
    ['app/x', '56'],
  ] as const) {
    await broker.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from(payload), qos: 0 });
  }
  const expected = [
    `${text('app/x')} 00 ${Buffer.from('12345678').toString('hex')}`,
    `${text('app/x')} 03 23 0001 ${Buffer.from('1234').toString('hex')}`,
    `0000 03 23 0001 ${Buffer.from('56').toString('hex')}`,
  ];
  const wanted = expected.map((body) => packetHex('30', body).replaceAll(' ', '')).join('');
  await until(() => subscriber.received.length >= wanted.length / 2, 'three messages');
  expect(subscriber.hex).toBe(wanted);
});

test('response information, for those who ask (3.1.2.11.6, 3.2.2.3.15)', async () => {
  await start({ responseInformation: ({ deviceId }) => `app/org-1/answers/${deviceId}` });
  const connack = async (properties: string): Promise<string> => {
    const client = raw();
    client.send(
      packetHex('10', `00044d515454 05 c2 0000 ${properties} ${text('a')} ${text('dev-1')} ${text('secret')}`),
    );
    await until(() => client.received.length > 4, 'CONNACK');
    return client.hex;
  };
  const property = `1a${text('app/org-1/answers/dev-1')}`;
  expect(await connack('02 19 01')).toContain(property);
  expect(await connack('02 19 00')).not.toContain(property);
  expect(await connack('00')).not.toContain(property);
});

test('topic aliases, in and out', async () => {
  await start();
  const publisher = await open();
  publisher.send(packetHex('30', `${OWN} 03 23 0003 61`) + packetHex('30', '0000 03 23 0003 62'));
  await until(() => broker.records.length === 2, 'two records');
  expect(broker.records.map(({ topic, payload }) => [topic, payload])).toEqual([
    ['v1/telemetry/org-1/dev-9', 'a'],
    ['v1/telemetry/org-1/dev-9', 'b'],
  ]);
  const subscriber = await open(5, 'dev-8', '03 22 0001');
  subscriber.send(packetHex('82', `0001 00 ${text('app/#')} 00`));
  await until(() => subscriber.received.length > 0, 'SUBACK');
  subscriber.received = Buffer.alloc(0);
  for (const topic of ['app/x', 'app/x', 'app/y']) {
    await broker.broker.publish({ organizationId: 'org-1', topic, payload: Buffer.from('m'), qos: 0 });
  }
  const expected = [`${text('app/x')} 03 23 0001 6d`, '0000 03 23 0001 6d', `${text('app/y')} 00 6d`];
  const wanted = expected.map((body) => packetHex('30', body).replaceAll(' ', '')).join('');
  await until(() => subscriber.received.length >= wanted.length / 2, 'three messages');
  expect(subscriber.hex).toBe(wanted);
});

test('limits: connections, subscriptions, retained bytes', async () => {
  await start({ limits: { connectionsMax: 2, subscriptionsPerSessionMax: 1, retainedBytesMax: 1_000 } });
  const client = await open(5, 'dev-9', '02 17 00');
  await open(4, 'dev-8');
  const third = raw();
  await third.closed();
  client.send(packetHex('82', `0001 00 ${text('app/1')} 00 ${text('app/2')} 00`));
  await until(() => client.hex.endsWith('0097'), 'the second subscription is refused');
  client.received = Buffer.alloc(0);
  client.send(packetHex('33', `${text('app/3')} 0001 00 78`) + packetHex('33', `${text('app/4')} 0002 00 78`));
  await until(() => client.hex === '40030001104003000210', 'both are answered');
  expect(broker.broker.statistics()).toMatchObject({
    retainedMessages: 1,
    connectionsRefused: 1,
    dropped: { 'retained-full': 1 },
  });
});

test.each([1, 2] as const)(
  'QoS %d that is delivered and not retained is a success, with the reason in words',
  async (qos) => {
    await start({ limits: { retainedBytesMax: 1_000 } });
    const client = await open(5);
    const [first, answer] = qos === 1 ? ['33', '40'] : ['35', '50'];
    client.send(packetHex(first, `${text('app/1')} 0001 00 78`) + packetHex(first, `${text('app/2')} 0002 00 78`));
    const reason = `1f ${text('delivered, but there is no room to retain it')}`;
    const expected = `${answer}03000110 ${packetHex(answer, `0002 10 2f ${reason}`)}`.replaceAll(' ', '');
    await until(() => client.hex.length >= expected.length, 'both answers');
    expect(client.hex).toBe(expected);
  },
);
