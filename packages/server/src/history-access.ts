/**
 * The history thread, started when it is first needed, and the sandboxes that are read and deleted through it. In: an
 * installation whose store is open; out: the thread's stand-in, and what the api needs.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { SandboxAccess } from '@fieldline/api';
import { expose, isFieldlineError, messageOf } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import type { Installation } from './installation.ts';
import { catalogGate, pipelineOf } from './parts/pipeline-part.ts';
import type { HistoryHost, HistoryThreadData, StorePortMessage } from './threads/history-messages.ts';
import { startThread, type Thread } from './threads/start-thread.ts';

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

/** Each sandbox is a folder in it, by the id of its job. */
export function sandboxFolder({ config }: Installation): string {
  return join(config.dataDir, 'sandbox');
}
