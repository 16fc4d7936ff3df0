/** Jobs and their queues: look, pause, resume, cancel, forget. */
import type { Job as JobRow } from '@fieldline/catalog';
import type { Job } from '@fieldline/contract';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { defined, found, pageOf } from '../../text.ts';
import { jobJson } from './job-json.ts';

export function jobHandlers(context: ApiContext): GroupHandlers<'jobs'> {
  const toJson = (row: JobRow): Job => jobJson(row, context.clock.nowMicros());
  return {
    list: async ({ query, catalog }) => pageOf(await catalog.jobs.list(defined(query)), query, toJson),
    get: async ({ params, catalog }) => toJson(found(await catalog.jobs.get(params.jobId), 'job', params.jobId)),
    pause: async ({ params, catalog }) => toJson(await catalog.jobs.pause(params.jobId)),
    resume: async ({ params, catalog }) => toJson(await catalog.jobs.resume(params.jobId)),

    cancel: async ({ params, catalog }) => {
      const job = await catalog.jobs.cancel(params.jobId);
      await context.sandboxes.remove(job.id);
      return toJson(job);
    },

    delete: async ({ params, catalog }) => {
      await catalog.jobs.delete(params.jobId);
      await context.sandboxes.remove(params.jobId);
    },

    queueStats: async ({ catalog }) => ({
      queues: (await catalog.jobs.counts()).map(({ kind, counts }) => ({ name: kind, ...counts })),
    }),

    clearDelayed: async ({ catalog }) => ({ cancelled: await catalog.jobs.cancelDelayed() }),
  };
}
