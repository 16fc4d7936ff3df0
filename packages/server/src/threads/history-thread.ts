/**
 * The history thread: replays the raw log through the pipeline's stages, away from the thread that live samples go through. What
 * it writes goes over a port into the live store, or into a sandbox that it opens itself. Out: how far each replay is.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { createLogger, expose, FieldlineError, remote, systemClock } from '@fieldline/kit';
import { openEmbeddedLogReader, type SharedLog } from '@fieldline/log';
import { DirectoryCache, type SampleBatch } from '@fieldline/model';
import { type HistoryCheckpoint, type HistoryOptions, runHistory, type SampleSink } from '@fieldline/pipeline';
import type {
  HistoryHost,
  HistoryProgressMessage,
  HistoryThreadData,
  LiveStore,
  ReplayRun,
} from './history-messages.ts';
import type { CatalogGate } from './messages.ts';
import { refuseWithoutRoom } from './sandbox-room.ts';
import { Sandboxes } from './sandboxes.ts';

const TOPIC = 'telemetry.raw';
/** About one transaction of the pipeline under full load. */
const LIVE_LAG_MAX = 10_000;

const port = parentPort!;
const { config, log, storePort, catalogPort } = workerData as HistoryThreadData;
const logger = createLogger('history', config.logLevel);
const liveStore = remote<LiveStore>(storePort);
const catalog = remote<CatalogGate>(catalogPort);
const sandboxLimits = { folder: join(config.dataDir, 'sandbox'), bytesMax: config.jobs.sandboxBytesMax };
const sandboxes = new Sandboxes(sandboxLimits.folder, logger);
const running = new Map<string, AbortController>();

const host: HistoryHost = {
  replay,
  end: (jobId) => running.get(jobId)?.abort(),
  readRaw: (jobId, query) => sandboxes.read(jobId, (store) => store.readRaw(query)),
  readBuckets: (jobId, query) => sandboxes.read(jobId, (store) => store.readBuckets(query)),
  downsample: (jobId, query) => sandboxes.read(jobId, (store) => store.downsample(query)),
  latest: (jobId, seriesIds) => sandboxes.read(jobId, (store) => store.latest(seriesIds)),
  removeSandbox: (jobId) => sandboxes.remove(jobId),
  stop: async () => {
    for (const aborter of running.values()) aborter.abort();
    await sandboxes.close();
  },
};
expose(port, host);
port.postMessage({ type: 'ready' });

async function replay(request: ReplayRun): Promise<HistoryCheckpoint> {
  const { jobId, target } = request;
  if (running.has(jobId)) throw new FieldlineError('UNAVAILABLE', `replay ${jobId} is still ending; tried again`);
  const aborter = new AbortController();
  running.set(jobId, aborter);
  try {
    return target === 'live'
      ? await replayInto(liveSink(), request, aborter.signal)
      : await sandboxes.fill(jobId, async (store) => {
          await store.defineSeries(request.directory.series);
          return replayInto(store, request, aborter.signal);
        });
  } finally {
    running.delete(jobId);
  }
}

async function replayInto(sink: SampleSink, request: ReplayRun, signal: AbortSignal): Promise<HistoryCheckpoint> {
  // A reader of its own tells each damaged place once for each replay.
  const reader = openEmbeddedLogReader({ shared: log as SharedLog, logger });
  try {
    const partitions = (await reader.bounds(TOPIC)).map(({ partition }) => partition);
    return await runHistory(
      {
        source: {
          topic: TOPIC,
          partitions,
          read: (partition, from, options) => reader.read(TOPIC, partition, from, { ...options, waitMs: 0 }),
          bounds: async (partition) => (await reader.bounds(TOPIC))[partition]!,
          positionAtTime: (partition, time) => reader.positionAtTime(TOPIC, partition, time),
        },
        sink,
        ...optionsOf(request),
      },
      signal,
    );
  } finally {
    await reader.close();
  }
}

function optionsOf({
  jobId,
  target,
  selection,
  speed,
  checkpoint,
  directory,
}: ReplayRun): Omit<HistoryOptions, 'source' | 'sink'> {
  return {
    ...{ name: `replay/${jobId}`, selection, checkpoint },
    directory: new DirectoryCache(directory),
    registerSeries: (requests) => catalog.registerSeries(requests),
    registerDevice: async (organizationId, key, gatewayId) => {
      if (target === 'live') return catalog.registerDevice(organizationId, key, gatewayId);
      throw new FieldlineError('FORBIDDEN', 'a replay into a sandbox registers no devices');
    },
    pace: {
      speed,
      loadPercentMax: config.jobs.replayLoadPercentMax,
      liveLag: () => liveStore.lagRecords(),
      liveLagMax: LIVE_LAG_MAX,
    },
    onProgress: async (reached) => {
      port.postMessage({ type: 'history-progress', jobId, checkpoint: reached } satisfies HistoryProgressMessage);
      if (target === 'sandbox') await refuseWithoutRoom(sandboxLimits);
    },
    settings: {
      samplesPerTransactionMax: config.pipeline.samplesPerTransactionMax,
      futureToleranceMs: config.pipeline.futureToleranceSeconds * 1000,
    },
    clock: systemClock,
    logger,
  };
}

function liveSink(): SampleSink {
  return {
    acquire: (topic, partition) => liveStore.acquire(topic, partition),
    append: (batch, position) => liveStore.append(compact(batch), position),
    defineSeries: (series) => liveStore.defineSeries(series),
    latest: async () => [],
  };
}

/** Views into larger memory would be copied to the other thread with all that is around them. */
function compact(batch: SampleBatch): SampleBatch {
  return {
    ...batch,
    seriesId: batch.seriesId.slice(),
    sourceTime: batch.sourceTime.slice(),
    receivedTime: batch.receivedTime.slice(),
    value: batch.value.slice(),
    quality: batch.quality.slice(),
    version: batch.version.slice(),
  };
}
