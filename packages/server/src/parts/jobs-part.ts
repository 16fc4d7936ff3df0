/** The part `jobs`: takes long work up and has it done; deletes what is past its age. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { REPLAY_KIND } from '@fieldline/api';
import { JobWorker } from '@fieldline/catalog';
import { messageOf, systemClock } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import { sandboxAccess, sandboxFolder } from '../history-access.ts';
import type { Installation } from '../installation.ts';
import { replayHandler } from '../replay.ts';

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
