/**
 * Line 15: 100 MQTT and 100 Socket.IO clients that never read, beside publishers and readers who behave. Two runs of the same
 * load and the same length, each on a new data folder: in the first the 200 clients read, in the second they stop after a few
 * seconds. What a server holds grows with what it has taken in, so memory is compared at the same age of both runs; so are the
 * delays of those who behave. The clients are a program of their own: their work is not on the clock of those who are measured.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApiSession } from '../tests/support/api-session.ts';
import type { ConsumersPlan } from '../tests/support/consumers.ts';
import { BusyReader, LiveReader } from '../tests/support/good-readers.ts';
import { SampleStream } from '../tests/support/sample-stream.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { SteadyLoad } from '../tests/support/steady-load.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { median, quantile, residentMb } from './process-figures.ts';
import { budgetsExceeded, metricsOf, sum } from './server-metrics.ts';

const CONSUMERS = fileURLToPath(new URL('../tests/support/consumers.ts', import.meta.url));
const CLIENTS = 100;
const GROWTH_MB_MAX = 64;
const FACTOR_MAX = 2;
/** Two times nothing is nothing: delays below it are good in any case. */
const DELAY_MS_FINE = 50;
const METRICS = 10;
const MESSAGES_PER_DEVICE_AND_SECOND = 50;
const BUSY_PER_SECOND = 50;
const BUSY_BYTES = 8_000;

interface Shape {
  readonly devices: number;
  readonly looksAt: number;
  /** The clients stop reading after this, and what is compared begins and ends; ms since all are connected. */
  readonly stopMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

const SHAPES: Readonly<Record<Form, Shape>> = {
  short: { devices: 20, looksAt: 20, stopMs: 5_000, fromMs: 25_000, untilMs: 45_000 },
  long: { devices: 40, looksAt: 20, stopMs: 60_000, fromMs: 120_000, untilMs: 660_000 },
};

export const slowConsumers: ScorecardLine = {
  number: 15,
  what: 'slow consumers',
  must: `memory +${GROWTH_MB_MAX} MB at most, the others' p99 < ${FACTOR_MAX} ×, 0 lost`,
  async run(form, say) {
    const shape = SHAPES[form];
    say('all read');
    const control = await observe(shape, false);
    say('200 clients stop reading');
    const slow = await observe(shape, true);
    return verdict(control, slow);
  },
};

interface Observed {
  readonly memoryMb: number;
  /** The 99th percentile of each second, its median over all seconds: one busy second of the machine is not the clients' doing. */
  readonly pubackMs: number;
  readonly liveMs: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** Messages of the busy topic that a well-behaved reader did not get. */
  readonly missed: number;
  /** What slow clients were not sent, and how many of them were cut off. */
  readonly mqtt: { readonly leftOut: number; readonly ended: number };
  readonly live: { readonly leftOut: number; readonly ended: number };
  readonly overBudget: readonly string[];
}

async function observe(shape: Shape, stopReading: boolean): Promise<Observed> {
  const folder = temporaryFolder('slow-consumers');
  const server = await startServer({ dataDir: folder.path });
  try {
    return await observeOn(server, shape, stopReading);
  } finally {
    await server.stop();
    folder.remove();
  }
}

async function observeOn(server: RunningServer, shape: Shape, stopReading: boolean): Promise<Observed> {
  const api = await ApiSession.signIn(server.url);
  const devices = await api.createDevices(shape.devices, 'load-');
  const busy = await api.createDevice('busy');
  const topic = `app/${busy.organizationId}/busy`;
  const stream = await SampleStream.begin(server, api, 4, { window: 4, pauseMs: 20 });
  const load = new SteadyLoad();
  for (const device of devices) {
    const to = `v1/telemetry/${device.organizationId}/${device.key}`;
    await load.add(server.mqtt, device, to, MESSAGES_PER_DEVICE_AND_SECOND, reading);
  }
  const consumers = await startConsumers(server, api, {
    topic,
    mqttDevices: await api.createDevices(CLIENTS, 'slow-'),
    liveClients: CLIENTS,
    deviceIds: devices.slice(0, shape.looksAt).map(({ id }) => id),
  });
  const reader = await BusyReader.begin(server, await api.createDevice('reader'), topic);
  const live = await LiveReader.begin(server, api, devices[0]!);
  await load.add(server.mqtt, busy, topic, BUSY_PER_SECOND, (number) => `${number} `.padEnd(BUSY_BYTES, 'x'));
  try {
    await stream.flows();
    await sleep(shape.stopMs);
    if (stopReading) consumers.stdin!.write('stop\n');
    await sleep(shape.fromMs - shape.stopMs);
    stream.takeDelays();
    live.takeDelays();
    const puback: number[] = [];
    const lateness: number[] = [];
    const memory: number[] = [];
    const overBudget = new Set<string>();
    for (const endMs = performance.now() + shape.untilMs - shape.fromMs; performance.now() < endMs; ) {
      await sleep(1_000);
      puback.push(quantile(stream.takeDelays(), 0.99));
      lateness.push(quantile(live.takeDelays(), 0.99));
      memory.push(residentMb(server.process.pid!));
      for (const name of await budgetsExceeded(server)) overBudget.add(name);
    }
    const figures = await metricsOf(server);
    if (consumers.exitCode !== null) throw new Error('the program with the 200 clients has ended');
    load.stop();
    await stream.finish();
    const { acknowledged, lost, doubled } = await stream.compare(api);
    return {
      memoryMb: quantile(memory, 0.9),
      pubackMs: median(puback),
      liveMs: median(lateness),
      acknowledged,
      lost: lost + doubled,
      missed: reader.missed,
      mqtt: {
        leftOut: sum(figures, 'mqtt_messages_dropped_total'),
        ended: sum(figures, 'mqtt_connections_ended_total'),
      },
      live: { leftOut: sum(figures, 'ws_left_out'), ended: sum(figures, 'ws_clients_ended_total') },
      overBudget: [...overBudget],
    };
  } finally {
    load.stop();
    await stream.abort();
    await reader.end();
    live.end();
    consumers.kill('SIGKILL');
  }
}

const counted = (count: number): string => count.toLocaleString('en-US');

/** Ten metrics, now. */
function reading(number: number): string {
  const metrics = Array.from(
    { length: METRICS },
    (_, metric) => `"m${metric}":${Math.round(Math.sin(number) * 1e4) / 100}`,
  );
  return `{"ts":${Date.now()},"metrics":{${metrics.join(',')}}}`;
}

async function startConsumers(
  server: RunningServer,
  api: ApiSession,
  plan: Pick<ConsumersPlan, 'topic' | 'mqttDevices' | 'liveClients' | 'deviceIds'>,
): Promise<ChildProcess> {
  const whole: ConsumersPlan = { ...plan, mqtt: server.mqtt, url: server.url, accessToken: api.accessToken };
  const program = spawn(process.execPath, [CONSUMERS, JSON.stringify(whole)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(createInterface({ input: program.stdout! }), 'line');
  return program;
}

function verdict(control: Observed, slow: Observed): Outcome {
  const growthMb = slow.memoryMb - control.memoryMb;
  const isSlow = (now: number, before: number): boolean => now > Math.max(FACTOR_MAX * before, DELAY_MS_FINE);
  const findings = [
    ...(growthMb > GROWTH_MB_MAX ? [`memory grew by ${growthMb.toFixed(0)} MB`] : []),
    ...(isSlow(slow.pubackMs, control.pubackMs) ? ['acknowledgements came too late'] : []),
    ...(isSlow(slow.liveMs, control.liveMs) ? ['live readings came too late'] : []),
    ...(slow.lost + control.lost > 0 ? [`${slow.lost + control.lost} acknowledged samples lost or doubled`] : []),
    ...(slow.missed + control.missed > 0 ? [`a reader missed ${slow.missed + control.missed} messages`] : []),
    ...(slow.mqtt.leftOut + slow.mqtt.ended === 0 ? ['no MQTT client was slow: their buffers took everything'] : []),
    ...(slow.live.leftOut + slow.live.ended === 0 ? ['no live client was slow: their buffers took everything'] : []),
    ...slow.overBudget.map((budget) => `more was held than may be: ${budget}`),
  ];
  const delays = (name: string, before: number, now: number): string =>
    `${name} p99 ${before.toFixed(0)} → ${now.toFixed(0)} ms`;
  const figure =
    `memory ${growthMb >= 0 ? '+' : ''}${growthMb.toFixed(0)} MB (${control.memoryMb.toFixed(0)} → ${slow.memoryMb.toFixed(0)}); ` +
    `${delays('PUBACK', control.pubackMs, slow.pubackMs)}, ${delays('live', control.liveMs, slow.liveMs)}; ` +
    `${slow.lost} lost of ${slow.acknowledged.toLocaleString('en-US')}; not sent to those who do not read: ` +
    `${counted(slow.mqtt.leftOut)} messages and ${counted(slow.live.leftOut)} samples, ${slow.mqtt.ended} and ${slow.live.ended} times cut off`;
  return { passed: findings.length === 0, figure, findings };
}
