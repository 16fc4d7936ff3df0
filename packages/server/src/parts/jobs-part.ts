/**
 * The part `jobs`: takes long work up and has it done; deletes what is past its age. The history thread, in which replays run and
 * sandboxes are read, is started when it is first needed.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { SandboxAccess } from '@fieldline/api';
import { JobWorker } from '@fieldline/catalog';
import { expose, isFieldlineError, messageOf, systemClock } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import type { Installation } from '../installation.ts';
import { REPLAY_KIND, replayHandler } from '../replay.ts';
import type { HistoryHost, HistoryThreadData, StorePortMessage } from '../threads/history-messages.ts';
import { startThread, type Thread } from '../threads/start-thread.ts';
import { catalogGate, pipelineOf } from './pipeline-part.ts';

const TIDY_INTERVAL_MS = 600_000;
const MS_PER_HOUR = 3_600_000;

export async function startJobs(of: Installation): Promise<void> {
  await tidy(of);
  of.timers.push(setInterval(() => void tidy(of), TIDY_INTERVAL_MS));
  of.jobWorker = new JobWorker({
    jobs: of.catalog.system.jobs,
    handlers: { [REPLAY_KIND]: replayHandler(of) },
    exclusive: of.config.catalog.adapter === 'pglite',
    clock: systemClock,
    logger: of.logger.child({ service: 'jobs' }),
  });
  await of.jobWorker.start();
}

/** Gives back what is under way, to go on at the next start. */
export async function stopJobs(of: Installation): Promise<void> {
  await of.jobWorker?.stop();
  const thread = await of.historyThread?.catch(() => null); // It did not start, and whoever needed it was told.
  await thread?.host.stop();
  await thread?.end();
}

/** The history thread. Where it ends unasked, what it did is tried again in a new one. */
export function historyOf(of: Installation): Promise<Thread<HistoryHost>> {
  if (of.historyThread === null) {
    const starting = startHistory(of, () => {
      if (of.historyThread === starting) of.historyThread = null;
    });
    of.historyThread = starting;
    starting.catch(() => {
      if (of.historyThread === starting) of.historyThread = null;
    });
  }
  return of.historyThread;
}

async function startHistory(of: Installation, onEnd: () => void): Promise<Thread<HistoryHost>> {
  pipelineOf(of); // Tells where the store is not open yet.
  const store = new MessageChannel();
  const gate = new MessageChannel();
  of.pipelineThread!.worker.postMessage({ type: 'store-port', port: store.port1 } satisfies StorePortMessage, [
    store.port1,
  ]);
  expose(gate.port1, catalogGate(of));
  return startThread<HistoryHost>({
    name: 'history',
    file: './history-thread.ts',
    data: {
      config: of.config,
      log: of.sharedLog,
      storePort: store.port2,
      catalogPort: gate.port2,
    } satisfies HistoryThreadData,
    transfer: [store.port2, gate.port2],
    youngGenerationMb: 32,
    onFailure: (error) => {
      of.logger.error({ error: messageOf(error) }, 'the thread of replays has ended; what it did is tried again');
      onEnd();
    },
  });
}

/** Sandboxes for the api. */
export function sandboxAccess(of: Installation): SandboxAccess {
  const host = async (): Promise<Thread<HistoryHost>['host']> => (await historyOf(of)).host;
  return {
    telemetryOf: (jobId) => ({
      readRaw: async (query) => (await host()).readRaw(jobId, query),
      readBuckets: async (query) => (await host()).readBuckets(jobId, query),
      downsample: async (query) => (await host()).downsample(jobId, query),
      latest: async (seriesIds) => (await host()).latest(jobId, seriesIds),
    }),
    remove: async (jobId) => {
      try {
        await removeSandbox(of, jobId);
      } catch (error) {
        // The run is ending, or somebody is reading: tidy() deletes it, since its job is gone or cancelled.
        if (!isFieldlineError(error, 'CONFLICT')) throw error;
      }
    },
  };
}

async function removeSandbox(of: Installation, jobId: string): Promise<void> {
  const folder = join(sandboxFolder(of), jobId);
  if (!isId(jobId) || !existsSync(folder)) return;
  if (of.historyThread === null) await rm(folder, { recursive: true, force: true });
  else await (await historyOf(of)).host.removeSandbox(jobId);
}

/** Deletes jobs that ended long ago, and sandboxes that are past their age or whose job is cancelled or gone. */
async function tidy(of: Installation): Promise<void> {
  const { jobs } = of.catalog.system;
  const { finishedRetentionHours, sandboxRetentionHours } = of.config.jobs;
  const before = (hours: number): number => (systemClock.nowMs() - hours * MS_PER_HOUR) * 1000;
  try {
    await jobs.delete((await jobs.finishedBefore(before(finishedRetentionHours))).map(({ id }) => id));
    const folders = existsSync(sandboxFolder(of)) ? await readdir(sandboxFolder(of)) : [];
    for (const id of folders.filter(isId)) {
      const job = await jobs.get(id);
      const isOver = job === null || job.status === 'cancelled';
      const isOld = job !== null && job.finishedAt !== null && job.finishedAt < before(sandboxRetentionHours);
      if (isOver || isOld) await sandboxAccess(of).remove(id);
    }
  } catch (error) {
    of.logger.warn({ error: messageOf(error) }, 'old jobs and sandboxes were not deleted; tried again');
  }
}

function sandboxFolder({ config }: Installation): string {
  return join(config.dataDir, 'sandbox');
}
