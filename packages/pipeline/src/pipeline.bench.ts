/**
 * What one thread gets through decode, resolve, normalise and batch building: raw batches made beforehand, a store that takes
 * everything. Run: `node packages/pipeline/src/pipeline.bench.ts` (add --cpu-prof to see where the time goes).
 */
import { encodeJson, encodeProtobuf } from '@fieldline/codecs';
import { Metrics, silentLogger, systemClock } from '@fieldline/kit';
import { BUILT_IN_MAPPINGS, type LoggedBatch, type Origin, RawBatchBuilder } from '@fieldline/model';
import { createPipeline } from './index.ts';
import { device, directoryOf, MemorySink, origin, series, T0 } from './testing.ts';

const DEVICES = 1000;
const BATCHES = 40;

interface Load {
  readonly name: string;
  readonly messagesPerBatch: number;
  readonly samplesPerMessage: number;
  readonly isLookedAt: boolean;
  originOf(deviceId: string): Origin;
  payloadOf(message: number): Uint8Array;
}

const metricNames = Array.from({ length: 10 }, (_, at) => `measured.quantity.${at}`);

const json = (isLookedAt: boolean): Load => ({
  name: `JSON, 10 metrics a message${isLookedAt ? ', 10 devices and the organisation looked at' : ''}`,
  messagesPerBatch: 3300,
  samplesPerMessage: 10,
  isLookedAt,
  originOf: (deviceId) => origin(deviceId),
  payloadOf: (message) =>
    encodeJson(
      Object.fromEntries(metricNames.map((name, at) => [name, Math.round(Math.sin(message + at) * 1e5) / 1000])),
      T0 + message * 1_000_000,
    ),
});

const protobuf: Load = {
  name: 'Protobuf, 100 samples a message',
  messagesPerBatch: 1000,
  samplesPerMessage: 100,
  isLookedAt: false,
  originOf: (deviceId) =>
    origin(deviceId, {
      topic: `robots/${deviceId}/sensors/imu/data`,
      codec: 'protobuf',
      mappingId: BUILT_IN_MAPPINGS[1]!.id,
    }),
  payloadOf: (message) =>
    encodeProtobuf({
      sourceTime: T0 + message * 1_000_000,
      intervalMicros: 10_000,
      columns: [{ metric: 'x', values: Array.from({ length: 100 }, (_, at) => Math.sin(at + message)) }],
    }),
};

function batchesOf(load: Load): LoggedBatch[] {
  const origins = Array.from({ length: DEVICES }, (_, at) => load.originOf(`device-${at}`));
  const builder = new RawBatchBuilder();
  let position = 0;
  return Array.from({ length: BATCHES }, () => {
    const firstPosition = position;
    for (let at = 0; at < load.messagesPerBatch; at++, position++)
      builder.add(origins[position % DEVICES]!, T0 + position * 1_000_000, load.payloadOf(position));
    return { ...builder.take(), topic: 'telemetry.raw', partition: 0, firstPosition };
  });
}

/** Runs the batches through once; microseconds of wall time. */
async function run(load: Load, batches: readonly LoggedBatch[]): Promise<number> {
  const devices = Array.from({ length: DEVICES }, (_, at) => device(`device-${at}`));
  const total = BATCHES * load.messagesPerBatch;
  let lastSeriesId = 0;
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const sink = new MemorySink();
  sink.append = async (_, { next }) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (next === total) ended();
  };
  const pipeline = createPipeline({
    source: {
      topic: 'telemetry.raw',
      partitions: [0],
      read: async (_, from, { signal }) => {
        const batch = batches[from / load.messagesPerBatch];
        if (batch === undefined) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return batch ?? null;
      },
      bounds: async () => ({ first: 0, next: total }),
    },
    sink,
    directory: directoryOf(devices),
    registerSeries: async (requests) => ({
      series: requests.map(({ subjectId, metricKey }) => series(++lastSeriesId, subjectId, metricKey)),
      refused: [],
    }),
    registerDevice: async () => devices[0]!,
    appendDeadLetters: async () => {
      throw new Error('the bench has no dead letters');
    },
    onLive: () => {},
    settings: { transactionIntervalMs: 1 },
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
  });
  if (load.isLookedAt) {
    const ids = devices.slice(0, 10).map(({ id }) => id);
    pipeline.setLiveInterest({ devices: ids, sites: [], organizations: ['org-1'] });
  }
  const started = performance.now();
  await pipeline.start();
  await end;
  const micros = (performance.now() - started) * 1000;
  await pipeline.stop();
  return micros;
}

for (const load of [json(false), json(true), protobuf]) {
  const batches = batchesOf(load);
  const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  const messages = BATCHES * load.messagesPerBatch;
  const runs: number[] = [];
  for (let at = 0; at < 5; at++) runs.push(await run(load, batches));
  const best = Math.min(...runs) / messages;
  const median = runs.sort((a, b) => a - b)[2]! / messages;
  const samples = Math.round(load.samplesPerMessage / (median / 1e6));
  console.log(
    `${load.name} (${Math.round(bytes / messages)} B): median ${median.toFixed(2)} µs a message, best ${best.toFixed(2)}; ${samples.toLocaleString('en')} samples/s`,
  );
}
