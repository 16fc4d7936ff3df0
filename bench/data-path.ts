/**
 * The data path, whole and real: generator → MQTT QoS 1 → log → pipeline → store, with probes that ask REST for a sample
 * they have just published, and with day-range queries, all at the same time, on one machine.
 */
import mqtt from 'mqtt';
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { type Bench, type BenchOptions, type BenchResult, type Figure, quantile } from './figures.ts';
import { runLoad } from './load.ts';
import { cpuWords, ProcessWatch } from './process-watch.ts';
import { protobufTemplate } from './protobuf-template.ts';

const CONNECTIONS = 1000;
/** Asking more often would measure the asking: each question is a query of the store. */
const PROBE_INTERVAL_MS = 50;

interface Variant {
  readonly format: 'json' | 'protobuf';
  readonly samplesPerMessage: number;
  readonly rate: number;
  readonly must: number;
  readonly aim: number;
}

interface Health {
  readonly lag: { readonly records: number };
  readonly totals: { readonly records: number; readonly samples: number; readonly deadLetters: number };
}

async function run(variant: Variant, options: BenchOptions): Promise<BenchResult> {
  const folder = temporaryFolder('bench');
  const server = await startServer({ dataDir: folder.path, environment: { FIELDLINE_LOG_LEVEL: 'info' } });
  try {
    const api = await ApiSession.signIn(server.url);
    const devices = await api.createDevices(CONNECTIONS, 'bench-', variant.format === 'protobuf' ? 'robot' : 'sensor');
    const probe = await api.createDevice('probe');
    const rate = options.rate ?? variant.rate;
    const watch = new ProcessWatch(server.process.pid!);
    const stopProbe = startProbe(server.mqtt, api, probe);
    const stopQueries = startQueries(api, devices[0]!.id, variant.format === 'json' ? 'temperature' : 'bench.value');
    let maxLag = 0;
    const total = await runLoad(
      {
        ...server.mqtt,
        devices: devices.map((device) => ({
          id: device.id,
          token: device.token,
          topic:
            variant.format === 'json'
              ? `v1/telemetry/${device.organizationId}/${device.id}`
              : `robots/${device.key}/sensors/bench/data`,
        })),
        messagesPerSecond: rate,
        seconds: options.seconds,
        format: variant.format,
        ...(variant.format === 'protobuf' ? protobufTemplate(variant.samplesPerMessage) : {}),
        messageStepMicros: variant.format === 'json' ? 1000 : variant.samplesPerMessage * 1000,
        samplesPerMessage: variant.samplesPerMessage,
        window: 200,
        burst: 2,
      },
      (second) => {
        void api.call<Health>('GET', 'pipeline/health').then((health) => {
          maxLag = Math.max(maxLag, health.lag.records);
          console.error(
            `    ${second.seconds.toFixed(0)} s: ${second.acknowledged} acknowledged, p99 ${second.ackP99Ms} ms, lag ${health.lag.records}`,
          );
        });
      },
    );
    const drained = performance.now();
    const health = await eventually(
      'the pipeline to catch up',
      async () => {
        const now = await api.call<Health>('GET', 'pipeline/health');
        return now.lag.records === 0 ? now : null;
      },
      300_000,
    );
    const catchUpSeconds = (performance.now() - drained) / 1000;
    const readable = await stopProbe();
    const queries = await stopQueries();
    const usage = watch.stop();
    const perSecond = total.acknowledged / Math.max(options.seconds, total.seconds - total.drainSeconds);
    const samples = perSecond * variant.samplesPerMessage;
    const figures: Figure[] = [
      {
        name: 'messages acknowledged a second',
        value: perSecond,
        unit: 'msg/s',
        better: 'more',
        must: variant.must / variant.samplesPerMessage,
        aim: variant.aim / variant.samplesPerMessage,
      },
      {
        name: 'samples a second',
        value: samples,
        unit: 'samples/s',
        better: 'more',
        must: variant.must,
        aim: variant.aim,
      },
      { name: 'publish → PUBACK, p50', value: total.ackP50Ms, unit: 'ms', better: 'less' },
      { name: 'publish → PUBACK, p99', value: total.ackP99Ms, unit: 'ms', better: 'less' },
      {
        name: 'publish → readable through REST, p95',
        value: quantile(readable, 0.95),
        unit: 'ms',
        better: 'less',
        must: 2000,
      },
      {
        name: 'publish → readable through REST, p99',
        value: quantile(readable, 0.99),
        unit: 'ms',
        better: 'less',
        aim: 500,
      },
      { name: 'one series, last day, while ingesting, p50', value: quantile(queries, 0.5), unit: 'ms', better: 'less' },
      {
        name: 'one series, last day, while ingesting, p99',
        value: quantile(queries, 0.99),
        unit: 'ms',
        better: 'less',
        must: 100,
        aim: 30,
      },
      { name: 'largest lag seen', value: maxLag, unit: 'records', better: 'less' },
      { name: 'caught up after the load ended', value: catchUpSeconds, unit: 's', better: 'less' },
      { name: 'resident memory, peak', value: usage.residentPeakMb, unit: 'MB', better: 'less', must: 1500, aim: 900 },
      { name: 'resident memory, end', value: usage.residentEndMb, unit: 'MB', better: 'less' },
    ];
    const missing = total.acknowledged - (health.totals.records - readableCount(readable));
    return {
      figures,
      notes: [
        `${CONNECTIONS} connections, ${rate} msg/s asked for, ${total.seconds.toFixed(0)} s, QoS 1, ${variant.samplesPerMessage} samples a message as ${variant.format}`,
        `acknowledged ${total.acknowledged}, failed ${total.failed}, held back by full windows ${total.behind}; pipeline saw ${health.totals.records} records, ${health.totals.samples} samples, ${health.totals.deadLetters} dead letters${missing > 0 ? `; ${missing} records MISSING` : ''}`,
        `CPU of the server by thread: ${cpuWords(usage)}; generator ${total.cpuSeconds.toFixed(1)} s`,
      ],
    };
  } finally {
    await server.stop();
    folder.remove();
  }
}

const readableCount = (readable: readonly number[]): number => readable.length;

/** Publishes a numbered sample five times a second and asks until it is there; gives the times it took, in ms. */
function startProbe(
  address: { host: string; port: number },
  api: ApiSession,
  device: { id: string; token: string; organizationId: string },
): () => Promise<number[]> {
  const took: number[] = [];
  let running = true;
  const client = mqtt.connect({ ...address, protocolVersion: 5, username: device.id, password: device.token });
  const work = (async () => {
    for (let number = 1; running; number++) {
      const started = performance.now();
      await client.publishAsync(
        `v1/telemetry/${device.organizationId}/${device.id}`,
        JSON.stringify({ ts: Date.now(), metrics: { number } }),
        { qos: 1 },
      );
      await eventually(
        'the probe to be readable',
        async () => {
          const to = new Date(Date.now() + 60_000).toISOString();
          const from = new Date(Date.now() - 60_000).toISOString();
          const page = await api.call<{ data: { value: number }[] }>(
            'GET',
            `telemetry/device/${device.id}?metricKey=number&startTime=${from}&endTime=${to}&limit=10000`,
          );
          return page.data.at(-1)?.value === number ? true : null;
        },
        60_000,
        PROBE_INTERVAL_MS,
      );
      took.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  return async () => {
    running = false;
    await work;
    await client.endAsync();
    return took;
  };
}

/** Asks for the last day of one series, reduced to a screen's width, ten times a second; gives the times it took, in ms. */
function startQueries(api: ApiSession, deviceId: string, metricKey: string): () => Promise<number[]> {
  const took: number[] = [];
  let running = true;
  const work = (async () => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    while (running) {
      const started = performance.now();
      await api.call('POST', 'telemetry/query', {
        startTime: new Date(Date.now() - 86_400_000).toISOString(),
        series: [{ deviceId, metricKey }],
        points: 1000,
      });
      took.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return async () => {
    running = false;
    await work;
    return took;
  };
}

export const jsonPath: Bench = {
  name: 'json',
  describes: 'MQTT QoS 1, JSON, 10 metrics a message, 1,000 connections → durable, stored, queryable',
  run: (options) => run({ format: 'json', samplesPerMessage: 10, rate: 40_200, must: 400_000, aim: 800_000 }, options),
};

export const protobufPath: Bench = {
  name: 'protobuf',
  describes: 'MQTT QoS 1, Protobuf, 100 samples a message, 1,000 connections',
  run: (options) =>
    run({ format: 'protobuf', samplesPerMessage: 100, rate: 10_050, must: 1_000_000, aim: 2_000_000 }, options),
};
