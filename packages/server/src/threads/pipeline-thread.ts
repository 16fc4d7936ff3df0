/**
 * The pipeline's thread: stages and store side by side. It opens the store at once; with run() come a directory snapshot, the
 * log's files and ports to the log's writer and to the catalog. Out: live frames and last-seen times by message, everything else by RPC.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { PipelineReport } from '@fieldline/api';
import {
  createLogger,
  expose,
  FieldlineError,
  type Health,
  Metrics,
  messageOf,
  type Remote,
  remote,
  systemClock,
} from '@fieldline/kit';
import { type LogReader, openEmbeddedLogReader, type SharedLog } from '@fieldline/log';
import { DirectoryCache } from '@fieldline/model';
import { createPipeline, type Pipeline, type PipelineOptions, type PipelineStatistics } from '@fieldline/pipeline';
import { openDuckdbStore } from '@fieldline/store';
import { writeCompiledCode } from '../compiled-code.ts';
import { agreeOnSeries } from './agree-on-series.ts';
import type { LiveStore, StorePortMessage } from './history-messages.ts';
import { leaveOutStored } from './leave-out-stored.ts';
import type {
  CatalogGate,
  ConnectMessage,
  FramesMessage,
  LastSeenMessage,
  LogHost,
  PipelineHost,
  PipelineStart,
  PipelineThreadData,
} from './messages.ts';
import { forgetOpenedAt } from './opened-at.ts';
import { Rates } from './rates.ts';

const MAINTAIN_INTERVAL_MS = 1000;
/** How often the log at level debug tells what came through. */
const PROGRESS_INTERVAL_MS = 5000;
/** How often the log is told what it may delete. */
const STORED_INTERVAL_MS = 10_000;
const TOPIC = 'telemetry.raw';

const port = parentPort!;
const { config } = workerData as PipelineThreadData;
const logger = createLogger('pipeline', config.logLevel);
const metrics = new Metrics();
const directory = new DirectoryCache();
const connected = untilConnected();
const store = await openDuckdbStore({
  dir: join(config.dataDir, 'store'),
  memoryLimitBytes: config.store.memoryLimitMiB * 1024 * 1024,
  threads: config.store.threads,
  sealAfterMs: config.store.sealAfterSeconds * 1000,
  sealRowsMax: config.store.sealRows,
  retention: {
    rawMs: config.store.rawRetentionDays * 86_400_000,
    hourlyMs: config.store.hourlyRetentionDays * 86_400_000,
    dailyMs: config.store.dailyRetentionDays * 86_400_000,
  },
  clock: systemClock,
  logger: logger.child({ service: 'store' }),
  metrics,
});
/** For replays, which run in a thread of their own. */
const liveStore: LiveStore = {
  acquire: (topic, partition) => store.acquire(topic, partition),
  append: (batch, position) => store.append(batch, position),
  defineSeries: (series) => store.defineSeries(series),
  lagRecords: async () => (await running().statistics()).lagRecords,
};
let reader: LogReader | null = null;
let pipeline: Pipeline | null = null;
const rates = new Rates();
let maintenance: Promise<void> = Promise.resolve();
let maintenanceProblem: string | null = null;
let maintaining = false;
let stopping = false;
let told = 0;
const timers: NodeJS.Timeout[] = [];

expose(port, {
  run,
  stopReading: async () => pipeline?.stop(),
  applyDirectory: (changes) => {
    const before = directory.version;
    running().applyDirectory(changes);
    const series = changes.flatMap((change) =>
      change.kind === 'series' && change.version > before ? [change.series] : [],
    );
    if (series.length > 0)
      void store.defineSeries(series).catch((error) => {
        if (!stopping) logger.warn({ error: messageOf(error) }, 'series not yet known to the store');
      });
  },
  setLiveInterest: (interest) => pipeline?.setLiveInterest(interest),
  readRaw: (query) => store.readRaw(query),
  readBuckets: (query) => store.readBuckets(query),
  downsample: (query) => store.downsample(query),
  latest: (seriesIds) => store.latest(seriesIds),
  storedPositions: () => running().storedPositions(),
  report,
  health: () => [...(pipeline === null ? [] : [pipeline.health()]), storeHealth()],
  metrics: () => metrics.snapshot(),
  stop: async () => {
    for (const timer of timers) clearInterval(timer);
    stopping = true;
    await pipeline?.stop();
    await store.close();
    await maintenance;
    await reader?.close();
  },
} satisfies PipelineHost);
port.on('message', (message: StorePortMessage) => {
  if (message?.type === 'store-port') expose(message.port, liveStore);
});
port.postMessage({ type: 'ready' });
writeCompiledCode();

/** The ports come in a message, since a call cannot bring them. */
function untilConnected(): Promise<ConnectMessage> {
  return new Promise((resolve) => {
    const take = (message: ConnectMessage): void => {
      if (message?.type !== 'connect') return;
      port.off('message', take);
      resolve(message);
    };
    port.on('message', take);
  });
}

async function run(start: PipelineStart): Promise<void> {
  const { logPort, catalogPort } = await connected;
  const logHost = remote<LogHost>(logPort);
  reader = openEmbeddedLogReader({ shared: start.log as SharedLog, logger });
  directory.load(start.directory);
  const catalog = remote<CatalogGate>(catalogPort);
  await agreeOnSeries({ store, directory, catalog, logger });
  await store.defineSeries([...directory.allSeries()]);
  await leaveOutStored({ topic: TOPIC, openedAt: start.openedAt, store, reader, writer: logHost, logger });
  forgetOpenedAt(config.dataDir);
  pipeline = createPipeline(pipelineOptions(reader, logHost, catalog, start));
  timers.push(
    setInterval(maintain, MAINTAIN_INTERVAL_MS),
    setInterval(
      () =>
        void running()
          .statistics()
          .then((now) => rates.note(countsOf(now))),
      1000,
    ),
    setInterval(() => void running().statistics().then(tellProgress), PROGRESS_INTERVAL_MS),
    setInterval(() => tellStored(logHost), STORED_INTERVAL_MS),
  );
  await pipeline.start();
}

function pipelineOptions(
  log: LogReader,
  logHost: Remote<LogHost>,
  catalog: Remote<CatalogGate>,
  { openedAt }: PipelineStart,
): PipelineOptions {
  return {
    source: {
      topic: TOPIC,
      partitions: openedAt.map(({ partition }) => partition),
      read: (partition, from, options) => log.read(TOPIC, partition, from, options),
      bounds: async (partition) => (await log.bounds(TOPIC))[partition]!,
    },
    sink: store,
    directory,
    registerSeries: (requests) => catalog.registerSeries(requests),
    registerDevice: (organizationId, key, gatewayId) => catalog.registerDevice(organizationId, key, gatewayId),
    appendDeadLetters: (batch) => logHost.append('dead-letters', batch),
    deadLetters: {
      bounds: () => log.bounds('dead-letters'),
      read: (partition, from, recordsMax) => log.read('dead-letters', partition, from, { recordsMax }),
    },
    onLive: (frames) => port.postMessage({ type: 'frames', frames } satisfies FramesMessage),
    onLastSeen: (deviceIds, times) =>
      port.postMessage({ type: 'last-seen', deviceIds, times } satisfies LastSeenMessage),
    settings: {
      transactionIntervalMs: config.pipeline.transactionIntervalMs,
      samplesPerTransactionMax: config.pipeline.samplesPerTransactionMax,
      futureToleranceMs: config.pipeline.futureToleranceSeconds * 1000,
    },
    clock: systemClock,
    logger,
    metrics,
  };
}

function running(): Pipeline {
  if (pipeline !== null) return pipeline;
  throw new FieldlineError('UNAVAILABLE', 'the pipeline has not begun to read the log yet; ask again in a few seconds');
}

/** One round of the store's background work at a time. */
function maintain(): void {
  if (maintaining) return;
  maintaining = true;
  maintenance = store
    .maintain(systemClock.nowMicros())
    .then(() => {
      if (maintenanceProblem !== null) logger.info({}, 'background work of the store goes on');
      maintenanceProblem = null;
    })
    .catch((error: unknown) => {
      if (stopping) return; // A stop breaks it off.
      const problem = messageOf(error);
      // Told once, not each second for as long as it lasts; readiness tells it all the while.
      if (problem !== maintenanceProblem)
        logger.warn({ error: problem }, 'background work of the store failed; tried again each second');
      maintenanceProblem = problem;
    })
    .finally(() => {
      maintaining = false;
    });
}

function tellProgress({ recordsTotal, lagRecords }: PipelineStatistics): void {
  const recordCount = recordsTotal - told;
  told = recordsTotal;
  if (recordCount > 0) logger.debug({ recordCount, lagRecords, durationMs: PROGRESS_INTERVAL_MS }, 'records processed');
}

/** Retention of the log leaves what is not stored yet. */
function tellStored(logHost: Remote<LogHost>): void {
  for (const { partition, next } of running().storedPositions()) void logHost.storedUpTo(partition, next);
}

/** A damaged file is told, but the store does its work: it is ready. */
function storeHealth(): Health {
  const problem = maintenanceProblem ?? store.problem();
  const ready = maintenanceProblem === null;
  return { name: 'store', state: 'running', ready, ...(problem !== null && { problem }) };
}

function countsOf({ recordsTotal, samplesTotal, deadLettersTotal }: PipelineStatistics): Parameters<Rates['note']>[0] {
  return { records: recordsTotal, samples: samplesTotal, deadLetters: deadLettersTotal };
}

async function report(): Promise<Omit<PipelineReport, 'log'>> {
  const [now, sizes] = await Promise.all([running().statistics(), store.statistics()]);
  const { problem = null, state } = running().health();
  const perSecond = rates.perSecond();
  return {
    status: state !== 'running' ? 'stopped' : problem === null ? 'ok' : 'degraded',
    problem,
    lagRecords: now.lagRecords,
    lagSeconds: await oldestAgeSeconds(),
    recordsPerSecond: perSecond.records,
    samplesPerSecond: perSecond.samples,
    deadLettersPerSecond: perSecond.deadLetters,
    recordsTotal: now.recordsTotal,
    samplesTotal: now.samplesTotal,
    deadLettersTotal: now.deadLettersTotal,
    circuitBreaker: now.circuitBreaker,
    lastStoredAt: now.lastStoredAt,
    store: {
      hotRows: sizes.hotRows,
      sealedRows: sizes.sealedRows,
      sealedBytes: sizes.sealedBytes,
      sealedFiles: sizes.sealedFiles,
    },
  };
}

/** Age of the oldest durable record that is not stored yet; 0 where there is none, null where the log cannot say. */
async function oldestAgeSeconds(): Promise<number | null> {
  try {
    const heads = await Promise.all(
      running()
        .storedPositions()
        .map(({ partition, next }) => reader!.read(TOPIC, partition, next, { bytesMax: 1, waitMs: 0 })),
    );
    const times = heads.flatMap((head) => (head === null ? [] : [head.receivedTime[0]!]));
    return times.length === 0 ? 0 : Math.max(0, (systemClock.nowMicros() - Math.min(...times)) / 1e6);
  } catch (error) {
    logger.debug({ error: messageOf(error) }, 'the age of what waits is not known');
    return null;
  }
}
