/** The broker with mosquitto_pub and mosquitto_sub, a client of other hands. Needs them installed. */
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker, type TestBroker, until } from './testing/harness.ts';
import { WireTap } from './testing/stock-clients/wire-tap.ts';

let broker: TestBroker;

beforeAll(async () => {
  if (spawnSync('mosquitto_pub', ['--help']).error !== undefined) {
    throw new Error('mosquitto_pub is not installed; run: apt-get install mosquitto-clients');
  }
  broker = await startBroker();
});

afterAll(() => broker?.broker.stop());

function mosquitto(
  program: 'pub' | 'sub',
  user: string,
  ...options: string[]
): { output: () => string; code: Promise<number | null> } {
  return nameless(program, user, '-i', user, ...options);
}

/** Without a client id. */
function nameless(
  program: 'pub' | 'sub',
  user: string,
  ...options: string[]
): { output: () => string; code: Promise<number | null> } {
  const login = ['-h', '127.0.0.1', '-p', String(broker.port), '-u', user, '-P', 'secret'];
  const child = spawn(`mosquitto_${program}`, [...login, ...options]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { output: () => output, code: new Promise((resolve) => child.once('close', resolve)) };
}

const versions = ['mqttv311', 'mqttv5'];
const qualities = ['0', '1', '2'];

test.each(versions.flatMap((version) => qualities.map((qos) => [version, qos])))(
  '%s, QoS %s into the log',
  async (version, qos) => {
    const before = broker.records.length;
    const { code, output } = mosquitto(
      'pub',
      'dev-1',
      '-V',
      version!,
      '-q',
      qos!,
      '-t',
      'v1/telemetry/org-1/dev-1',
      '-m',
      '{"metrics":{"t":1}}',
      '--repeat',
      '20',
    );
    expect([await code, output()]).toEqual([0, '']);
    await until(() => broker.records.length === before + 20, '20 records');
  },
);

test.each(versions.flatMap((version) => qualities.map((qos) => [version, qos])))(
  '%s, QoS %s between clients',
  async (version, qos) => {
    await until(() => broker.broker.statistics().subscriptions === 0, 'the subscriber before is gone');
    const subscriber = mosquitto(
      'sub',
      'dev-2',
      '-V',
      version!,
      '-q',
      qos!,
      '-t',
      'app/+/x',
      '-C',
      '5',
      '-F',
      '%t %q %p',
    );
    await until(() => broker.broker.statistics().subscriptions === 1, 'the subscription');
    await mosquitto('pub', 'dev-1', '-V', version!, '-q', qos!, '-t', 'app/org-1/x', '-m', 'hello', '--repeat', '5')
      .code;
    expect(await subscriber.code).toBe(0);
    expect(subscriber.output()).toBe(`app/org-1/x ${qos} hello\n`.repeat(5));
  },
);

test('a topic of another device is refused in words', async () => {
  const { code, output } = mosquitto(
    'pub',
    'dev-1',
    '-V',
    'mqttv5',
    '-q',
    '1',
    '-t',
    'v1/telemetry/org-1/dev-2',
    '-m',
    'x',
  );
  await code;
  expect(output()).toMatch(/Not authorized/);
});

test('a wrong token is refused in words', async () => {
  const { code, output } = mosquitto('pub', 'dev-1', '-P', 'wrong', '-V', 'mqttv5', '-t', 'app/x', '-m', 'x');
  expect(await code).not.toBe(0);
  expect(output()).toMatch(/Bad (username|user name) or password/i);
});

test('a filter that is not allowed is refused in words: 0x87 in SUBACK', async () => {
  const { code, output } = mosquitto('sub', 'dev-1', '-V', 'mqttv5', '-d', '-q', '1', '-t', 'secret/x');
  await code;
  expect(output()).toContain('Subscribed (mid: 1): 135');
  expect(output()).toContain('All subscription requests were denied');
});

test('enhanced authentication is refused in words: 0x8C', async () => {
  const method = ['-D', 'connect', 'authentication-method', 'SCRAM-SHA-256'];
  const { code, output } = mosquitto('sub', 'dev-1', '-V', 'mqttv5', '-t', 'app/x', ...method);
  expect(await code).toBe(0x8c);
  expect(output()).toContain('Bad authentication method');
});

test('it is given a client id and calls itself so', async () => {
  broker.events.length = 0;
  const { code, output } = nameless('pub', 'dev-1', '-V', 'mqttv5', '-d', '-q', '1', '-t', 'app/x', '-m', 'x');
  expect(await code).toBe(0);
  const { clientId } = broker.events.find(({ type }) => type === 'connected')!;
  expect(clientId).toMatch(/^auto-/);
  expect(output()).toContain(`Client ${clientId} sending PUBLISH`);
});

test("it keeps to the broker's receive maximum and maximum packet size", async () => {
  const own = await startBroker({ limits: { receiveMaximum: 3, packetBytesMax: 2_000 } });
  const tap = await WireTap.open(own.port);
  // Nothing is acknowledged before it has sent what it may.
  own.beforeAppend = () => until(() => tap.mostUnansweredTo('broker') >= 3, 'three messages on their way');
  const publish = (lines: readonly string[]): Promise<number | null> => {
    const login = [
      '-h',
      '127.0.0.1',
      '-p',
      String(tap.port),
      '-V',
      'mqttv5',
      '-u',
      'dev-1',
      '-P',
      'secret',
      '-i',
      'dev-1',
    ];
    const child = spawn('mosquitto_pub', [...login, '-q', '1', '-t', 'v1/telemetry/org-1/dev-1', '-l']);
    child.stdin.end(lines.map((line) => `${line}\n`).join(''));
    return new Promise((resolve) => child.once('close', resolve));
  };
  try {
    const lines = Array.from({ length: 50 }, (_, index) => `${index}`);
    expect(await publish(lines)).toBe(0);
    expect(own.records.map(({ payload }) => payload)).toEqual(lines);
    expect(tap.mostUnansweredTo('broker')).toBe(3);
    await publish(['x'.repeat(3_000)]);
    expect(tap.largestPublishTo('broker')).toBeLessThan(2_000);
    expect(own.broker.statistics().protocolErrors).toBe(0);
  } finally {
    tap.close();
    await own.broker.stop();
  }
});
