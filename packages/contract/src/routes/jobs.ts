/** Jobs: long work that goes on after the request and after a restart; and the queues that they wait in. */
import { type Static, Type } from 'typebox';
import { Id, JsonObject, Nullable, OneOf, Page, pageQuery, Resource, Shape, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

export const JOB_STATUSES = ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export const JobStatus = OneOf(JOB_STATUSES, { description: 'completed, failed and cancelled are final' });

export const Job = Resource('Job', {
  kind: Type.String({ description: 'What is done, e.g. telemetry-replay' }),
  status: JobStatus,
  parameters: JsonObject,
  progress: Shape({
    done: Type.Number(),
    total: Nullable(Type.Number({ description: 'null until it is known' })),
    percent: Nullable(Type.Number({ minimum: 0, maximum: 100 })),
  }),
  secondsLeft: Nullable(
    Type.Number({ description: 'Estimate from the pace so far, or else the one asked for; null where there is none' }),
  ),
  attempts: Type.Integer({ description: 'Since it last came further' }),
  attemptsMax: Type.Integer(),
  delayedUntil: Nullable(Type.String({ format: 'date-time', description: 'When the next attempt follows' })),
  startedAt: Nullable(Timestamp),
  finishedAt: Nullable(Timestamp),
  error: Nullable(Type.String({ description: 'Why the last attempt failed' })),
  result: Nullable(JsonObject),
  userId: Nullable(Id),
});
export type Job = Static<typeof Job>;

const params = Shape({ jobId: Id });
const Count = Type.Integer({ minimum: 0 });

export const QueueStats = Shape(
  {
    queues: Type.Array(
      Shape({
        name: Type.String({ description: 'The kind of its jobs' }),
        queued: Count,
        delayed: Type.Integer({ minimum: 0, description: 'Those of the queued ones that wait for another attempt' }),
        running: Count,
        paused: Count,
        completed: Count,
        failed: Count,
        cancelled: Count,
      }),
    ),
  },
  'QueueStats',
);
export type QueueStats = Static<typeof QueueStats>;

const change = {
  method: 'POST',
  params,
  status: 200,
  answer: Job,
  permission: 'jobs:write',
  limit: 'general',
} as const;

export const jobs = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/jobs',
    summary: 'Jobs, newest first',
    query: Shape({
      ...pageQuery,
      kind: Type.Optional(Type.String({ maxLength: 64 })),
      status: Type.Optional(JobStatus),
    }),
    status: 200,
    answer: Page(Job),
    permission: 'jobs:read',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/jobs/:jobId',
    summary: 'How far a job is',
    params,
    status: 200,
    answer: Job,
    permission: 'jobs:read',
    limit: 'general',
  },
  pause: { ...change, path: '/api/v1/jobs/:jobId/pause', summary: 'Let a job rest' },
  resume: { ...change, path: '/api/v1/jobs/:jobId/resume', summary: 'Let a paused or failed job go on where it was' },
  cancel: { ...change, path: '/api/v1/jobs/:jobId/cancel', summary: 'End a job for good; its sandbox is deleted' },
  delete: {
    method: 'DELETE',
    path: '/api/v1/jobs/:jobId',
    summary: 'Forget a job that has ended, and delete its sandbox',
    params,
    status: 204,
    answer: null,
    permission: 'jobs:write',
    limit: 'general',
  },
  queueStats: {
    method: 'GET',
    path: '/api/v1/queues/stats',
    summary: 'How many jobs wait, run and have ended, by kind',
    status: 200,
    answer: QueueStats,
    permission: 'jobs:read',
    limit: 'general',
  },
  clearDelayed: {
    method: 'DELETE',
    path: '/api/v1/queues/delayed',
    summary: 'Cancel the jobs that wait for another attempt',
    status: 200,
    answer: Shape({ cancelled: Count }),
    permission: 'jobs:write',
    limit: 'general',
  },
});
