/** The broker with mosquitto_pub and mosquitto_sub, a client of other hands. Needs them installed. */
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker, type TestBroker, until } from './testing/harness.ts';

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
  const login = ['-h', '127.0.0.1', '-p', String(broker.port), '-u', user, '-P', 'secret', '-i', user];
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
