/** Scenarios against the real broker over real sockets. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Broker, createBroker } from '@fieldline/broker';
import { codecById, DEFAULT_DECODE_LIMITS, DecodedBatch } from '@fieldline/codecs';
import { type Origin, originOf, payloadOf } from '@fieldline/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runScenario } from './run-scenario.ts';
import { parseScenario, type Scenario } from './scenario.ts';

interface Sample {
  readonly topic: string;
  readonly metric: string;
  readonly sourceTime: number;
  readonly value: number;
}

let broker: Broker | undefined;
let proxy: Server | undefined;
afterEach(async () => {
  proxy?.close();
  proxy = undefined;
  await broker?.stop();
});

/** A broker that lets in whoever has the token 'secret'; what is acknowledged stands decoded in `samples`. */
async function startBroker(receiveMaximum = 1000): Promise<{ port: number; samples: Sample[] }> {
  const samples: Sample[] = [];
  broker = createBroker({
    listeners: { tcp: [{ host: '127.0.0.1', port: 0 }] },
    dataDir: null,
    limits: { receiveMaximum },
    authenticate: ({ userName = '', password }) =>
      Buffer.from(password ?? []).toString() === 'secret'
        ? { accepted: true, identity: { organizationId: 'org', deviceId: userName, kind: 'device' } }
        : { accepted: false, reasonCode: 0x86, reason: 'wrong token' },
    route: ({ deviceId }, topic) => ({ to: 'log', origin: originFor(deviceId, topic) }),
    maySubscribe: () => ({ allowed: false, reasonCode: 0x87, reason: 'no' }),
    appendToLog: async (batch) => {
      const into = new DecodedBatch();
      for (let index = 0; index < batch.count; index++) {
        const { codec, topic } = originOf(batch, index);
        into.reset();
        codecById(codec)!.decode(payloadOf(batch, index), into, DEFAULT_DECODE_LIMITS);
        for (let row = 0; row < into.count; row++) {
          samples.push({
            topic,
            metric: into.metric[row]!,
            sourceTime: into.sourceTime[row]!,
            value: into.value[row]!,
          });
        }
      }
    },
  });
  await broker.start();
  return { port: broker.addresses()[0]!.port, samples };
}

const origins = new Map<string, Origin>();

function originFor(deviceId: string, topic: string): Origin {
  const known = origins.get(topic);
  if (known !== undefined) return known;
  const codec = topic.startsWith('robots/') ? 'protobuf' : 'json';
  const origin: Origin = { organizationId: 'org', deviceId, topic, codec, source: 'mqtt', mappingVersion: 1 };
  origins.set(topic, origin);
  return origin;
}

const credentialsFor = (...keys: string[]) => ({
  organization: 'org',
  devices: Object.fromEntries(keys.map((key) => [key, { token: 'secret' }])),
});

/** Runs until the condition holds, then stops it cleanly. */
async function runUntil(
  scenario: Scenario,
  port: number,
  keys: string[],
  condition: () => boolean,
  lines: string[] = [],
) {
  const stop = new AbortController();
  const running = runScenario(scenario, {
    port,
    credentials: credentialsFor(...keys),
    signal: stop.signal,
    print: (line) => lines.push(line),
  });
  try {
    await vi.waitUntil(condition, { timeout: 15_000, interval: 10 });
  } finally {
    stop.abort();
  }
  return running;
}

const SINE = '{ pattern: sine, mean: 20, amplitude: 5, periodMs: 60000 }';

describe('run a scenario', () => {
  it('many devices, both formats, each on its own topic with its own times', async () => {
    const { port, samples } = await startBroker();
    const scenario = parseScenario(`
      devices:
        - { key: json, count: 3, ratePerSecond: 50, metrics: { t: ${SINE} } }
        - { key: proto, format: protobuf, sensorType: arm, ratePerSecond: 100, samplesPerMessage: 10, metrics: { t: ${SINE} } }
    `);
    const topics = [...[1, 2, 3].map((at) => `v1/telemetry/org/json-${at}`), 'robots/proto/sensors/arm/data'];
    const of = (topic: string) => samples.filter((sample) => sample.topic === topic);
    const keys = ['json-1', 'json-2', 'json-3', 'proto'];
    const result = await runUntil(scenario, port, keys, () => topics.every((topic) => of(topic).length >= 40));
    for (const topic of topics) {
      const times = of(topic).map(({ sourceTime }) => sourceTime);
      const step = topic.startsWith('robots') ? 10_000 : 20_000;
      expect(times).toEqual(times.map((_, at) => times[0]! + at * step));
    }
    expect(result).toMatchObject({ failedMessages: 0, droppedMessages: 0, bufferedMessages: 0, connected: 0 });
    expect(result.acknowledgedMessages).toBe(result.sentMessages);
    expect(result.sentSamples).toBe(samples.length);
    expect(result.latencyP95Ms).toBeGreaterThan(0);
  });

  it('history first, dense towards the present, without a gap, within the broker’s receive maximum', async () => {
    const { port, samples } = await startBroker(2);
    const scenario = parseScenario(`
      devices:
        - key: a
          ratePerSecond: 20
          metrics: { t: ${SINE} }
          history: { days: 2, stepMs: 60000, denseMs: 20000 }
    `);
    const begun = Date.now() * 1000;
    const result = await runUntil(scenario, port, ['a'], () => (samples.at(-1)?.sourceTime ?? 0) > begun + 500_000);
    const times = samples.map(({ sourceTime }) => sourceTime);
    expect(new Set(times).size).toBe(times.length);
    const steps = times.slice(1).map((time, at) => time - times[at]!);
    expect(new Set(steps.filter((step) => step !== 60e6 && step !== 50_000)).size).toBeLessThanOrEqual(1);
    expect(times.filter((time) => time < begun - 25e6).length).toBeGreaterThanOrEqual(2 * 24 * 60 - 1);
    expect(result.failedMessages).toBe(0);
  });

  it('a connection that breaks off loses nothing: what was made meanwhile comes afterwards', async () => {
    const { port, samples } = await startBroker();
    const proxyPort = await startProxy(port);
    const scenario = parseScenario(`
      devices:
        - key: a
          ratePerSecond: 100
          metrics: { t: ${SINE} }
          behavior: { disconnect: { everyMs: 400, forMs: 100 } }
    `);
    const result = await runUntil(
      scenario,
      proxyPort.port,
      ['a'],
      () => proxyPort.connections() >= 4 && samples.length > 200,
    );
    const times = [...new Set(samples.map(({ sourceTime }) => sourceTime))].sort((one, other) => one - other);
    expect(times).toEqual(times.map((_, at) => times[0]! + at * 10_000));
    expect(result).toMatchObject({ failedMessages: 0, droppedMessages: 0 });
  });

  it('keeps a bounded number of messages while the broker is away and tells why', async () => {
    const scenario = parseScenario(`
      devices: [{ key: a, ratePerSecond: 1000, metrics: { t: ${SINE} }, behavior: { bufferMessagesMax: 20 } }]
      statisticsIntervalMs: 50
    `);
    const lines: string[] = [];
    const result = await runUntil(scenario, 1, ['a'], () => lines.some((line) => /dropped [1-9]\d/.test(line)), lines);
    expect(result.sentMessages).toBe(0);
    expect(lines.some((line) => /^a at mqtt:\/\/127.0.0.1:1: .*ECONNREFUSED/.test(line))).toBe(true);
    expect(lines.every((line) => !/waiting (2[1-9]|[3-9]\d|\d{3,})/.test(line))).toBe(true);
  });

  it('tells a wrong token', async () => {
    const { port } = await startBroker();
    const scenario = parseScenario(`devices: [{ key: b, token: wrong, metrics: { t: ${SINE} } }]`);
    const lines: string[] = [];
    await runUntil(scenario, port, ['a'], () => lines.some((line) => line.startsWith('b at ')), lines);
    expect(lines.find((line) => line.startsWith('b at '))).toMatch(/not authorized|bad user name|password/i);
  });

  it('drops on purpose, holds back, and ends by itself', async () => {
    const { port, samples } = await startBroker();
    const scenario = parseScenario(`
      durationMs: 700
      devices:
        - { key: a, ratePerSecond: 100, metrics: { t: ${SINE} }, behavior: { dropRatio: 1 } }
        - { key: b, ratePerSecond: 100, metrics: { t: ${SINE} }, behavior: { latencyMsMax: 50 } }
    `);
    const result = await runScenario(scenario, { port, credentials: credentialsFor('a', 'b') });
    expect(result.droppedMessages).toBeGreaterThan(30);
    expect(new Set(samples.map(({ topic }) => topic))).toEqual(new Set(['v1/telemetry/org/b']));
  });

  it('refuses a topic without its organisation', async () => {
    const scenario = parseScenario(`devices: [{ key: a, metrics: { t: ${SINE} } }]`);
    await expect(runScenario(scenario, { port: 1 })).rejects.toThrow(
      /device a: topic .* has an empty level; set organization/,
    );
  });
});

/** Counts connections on their way to the broker. */
async function startProxy(target: number): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  proxy = createServer((client: Socket) => {
    connections += 1;
    const upstream = connect(target, '127.0.0.1');
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy!.listen(0, '127.0.0.1', resolve));
  return { port: (proxy.address() as { port: number }).port, connections: () => connections };
}
