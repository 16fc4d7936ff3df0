/** A replay as the worker of jobs does it: job in, a run in the history thread, an account of it out. */
import type { ReplayParameters } from '@fieldline/api';
import type { Job, JobHandler } from '@fieldline/catalog';
import { type DirectorySnapshot, microsToIso } from '@fieldline/model';
import { type HistoryCheckpoint, progressOf } from '@fieldline/pipeline';
import { historyOf, sandboxAccess } from './history-access.ts';
import type { Installation } from './installation.ts';
import type { HistoryProgressMessage } from './threads/history-messages.ts';

/** The handler of replay jobs. */
export function replayHandler(of: Installation): JobHandler {
  return async (job, { signal, progress }) => {
    const { host, worker } = await historyOf(of);
    const tell = (message: HistoryProgressMessage): void => {
      if (message?.type !== 'history-progress' || message.jobId !== job.id) return;
      const { checkpoint } = message;
      // Where it cannot be noted the worker ends the run, or the next one is noted.
      void progress({ ...progressOf(checkpoint), checkpoint: { ...checkpoint } }).catch(() => {});
    };
    const end = (): void => void host.end(job.id).catch(() => {}); // The thread has ended, and the replay with it.
    worker.on('message', tell);
    signal.addEventListener('abort', end, { once: true });
    try {
      const directory = ofOrganization(await of.catalog.system.directory.snapshot(), job.organizationId);
      if (signal.aborted) return {};
      return resultOf(job, await host.replay(runOf(job, directory)));
    } finally {
      worker.off('message', tell);
      signal.removeEventListener('abort', end);
      if (signal.aborted) await discardIfOver(of, job.id);
    }
  };
}

/** A cancelled replay leaves no sandbox; it could not be deleted while it was being filled. */
async function discardIfOver(of: Installation, jobId: string): Promise<void> {
  const job = await of.catalog.system.jobs.get(jobId);
  if (job === null || job.status === 'cancelled') await sandboxAccess(of).remove(jobId);
}

function runOf(job: Job, directory: DirectorySnapshot) {
  const { deviceIds, from, to, speed, target } = job.parameters as unknown as ReplayParameters;
  const checkpoint = job.checkpoint as unknown as HistoryCheckpoint | null;
  const selection = { organizationId: job.organizationId, deviceIds, from, to };
  return { jobId: job.id, target, selection, speed, checkpoint, directory };
}

/** What a replay of this organisation must know, and no more. Built-in mappings belong to everybody. */
function ofOrganization(all: DirectorySnapshot, organizationId: string): DirectorySnapshot {
  const isOwn = (one: { readonly organizationId: string | null }): boolean => one.organizationId === organizationId;
  return {
    version: all.version,
    organizations: all.organizations,
    devices: all.devices.filter(isOwn),
    mappings: all.mappings.filter((mapping) => mapping.organizationId === null || isOwn(mapping)),
    series: all.series.filter(isOwn),
  };
}

function resultOf(job: Job, { counts }: HistoryCheckpoint): Record<string, unknown> {
  const { oldestReceivedTime, recordsDeleted, recordsMissing } = counts;
  const problems = [
    oldestReceivedTime !== null &&
      `the log reaches back to ${microsToIso(oldestReceivedTime)} only: what was received before has been deleted by retention`,
    recordsDeleted > 0 && `retention deleted ${recordsDeleted} records before they were reached`,
    recordsMissing > 0 && `${recordsMissing} records could not be read: the log is damaged there; see the server's log`,
  ].filter((problem) => problem !== false);
  return {
    ...counts,
    oldestReceivedTime: oldestReceivedTime === null ? null : microsToIso(oldestReceivedTime),
    problems,
    target: job.parameters.target,
  };
}
