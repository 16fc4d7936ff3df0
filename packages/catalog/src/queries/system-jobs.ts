/**
 * System door: what workers do with jobs. A claim is known by the job's id and the time at which it was claimed; whoever
 * writes with an older one, or after the job was paused or cancelled, changes nothing and is told so.
 */
import type { Micros } from '@fieldline/model';
import { and, asc, eq, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { SystemJobs } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import type { Job } from '../rows.ts';
import { jobs } from '../schema/index.ts';
import { textArray } from './arrays.ts';
import type { JobChanges } from './jobs.ts';

const FINISHED_PAGE = 1000;
const ERROR_LENGTH_MAX = 2000;

export function systemJobs(database: Database, changes: JobChanges): SystemJobs {
  /** Changes the row while the claim holds. */
  const set = (job: Job, values: Parameters<typeof assign>[0]): Promise<boolean> =>
    database.transaction('system', async (queries) => {
      const result = await queries.update(jobs).set(assign(values)).where(held(job));
      return (result.rowCount ?? 0) > 0;
    });
  return {
    claim: (kinds, leaseMs) =>
      database.transaction('system', async (queries) => {
        const [job = null] = await queries
          .update(jobs)
          .set({
            status: 'running',
            attempts: sql`${jobs.attempts} + 1`,
            progressAtStart: sql`${jobs.progressDone}`,
            startedAt: sql`clock_timestamp()`,
            leaseUntil: fromNow(leaseMs),
            updatedAt: sql`now()`,
          })
          .where(sql`${jobs.id} = (${longestWaiting(kinds)})`)
          .returning();
        if (job !== null) return { job, nextDue: null };
        return { job: null, nextDue: await nextDue(queries, kinds) };
      }),

    progress: (job, { done, total, checkpoint }, leaseMs) =>
      set(job, {
        progressDone: done,
        progressTotal: total,
        checkpoint,
        // Attempts are counted anew once a job comes further: what failed before is behind it.
        attempts: sql`case when ${jobs.progressDone} < ${done}::float8 then 1 else ${jobs.attempts} end`,
        leaseUntil: fromNow(leaseMs),
      }),

    prolong: (job, leaseMs) => set(job, { leaseUntil: fromNow(leaseMs) }),

    complete: (job, result) =>
      set(job, {
        status: 'completed',
        ...{ result, error: null, leaseUntil: null, finishedAt: sql`now()` },
        progressDone: sql`coalesce(${jobs.progressTotal}, ${jobs.progressDone})`,
      }),

    fail: (job, error) => set(job, { status: 'failed', error: cut(error), leaseUntil: null, finishedAt: sql`now()` }),

    retry: (job, error, delayMs) =>
      set(job, { status: 'queued', error: cut(error), leaseUntil: null, runAt: fromNow(delayMs) }),

    release: (job, place) =>
      set(job, {
        ...{ status: 'queued', leaseUntil: null, attempts: sql`greatest(0, ${jobs.attempts} - 1)` },
        ...(place === 'last' && { runAt: sql`clock_timestamp()` }),
      }),

    isAnyWaiting: (kinds) =>
      database.transaction('system', async (queries) => {
        const waiting = sql`${jobs.kind} = any (${textArray(kinds)}) and ${jobs.status} = 'queued' and ${jobs.runAt} <= now()`;
        return (await queries.select({ id: jobs.id }).from(jobs).where(waiting).limit(1)).length > 0;
      }),

    releaseAll: () =>
      database.transaction('system', async (queries) => {
        const idle = { leaseUntil: sql`now()` };
        return (await queries.update(jobs).set(idle).where(eq(jobs.status, 'running'))).rowCount ?? 0;
      }),

    finishedBefore: (before) =>
      database.transaction('system', (queries) =>
        queries
          .select()
          .from(jobs)
          .where(lt(jobs.finishedAt, before))
          .orderBy(asc(jobs.finishedAt))
          .limit(FINISHED_PAGE),
      ),

    get: (id) =>
      database.transaction('system', async (queries) => {
        const [row] = await queries.select().from(jobs).where(eq(jobs.id, id));
        return row ?? null;
      }),

    async delete(ids) {
      if (ids.length === 0) return;
      await database.transaction('system', (queries) => queries.delete(jobs).where(inArray(jobs.id, [...ids])));
    },

    onChange: (listener) => changes.listen(listener),
  };
}

function assign<T extends object>(values: T): T & { updatedAt: SQL } {
  return { ...values, updatedAt: sql`now()` };
}

/** The row as long as it is the claimer's. */
function held(job: Job): SQL | undefined {
  return and(eq(jobs.id, job.id), eq(jobs.status, 'running'), eq(jobs.startedAt, job.startedAt ?? 0));
}

/** Locked, so that of two workers each gets its own. */
function longestWaiting(kinds: readonly string[]): SQL {
  return sql`
    select j.id from fieldline.jobs j
    where j.kind = any (${textArray(kinds)})
      and ((j.status = 'queued' and j.run_at <= now()) or (j.status = 'running' and j.lease_until <= now()))
      and not exists (
        select from fieldline.jobs r
        where r.organization_id = j.organization_id and r.kind = j.kind and r.id <> j.id
          and r.status = 'running' and r.lease_until > now())
    order by j.run_at, j.id
    for update skip locked limit 1`;
}

/** When the next one becomes due by itself. One that waits for another job of its organisation is told of by that one's end. */
async function nextDue(queries: Queries, kinds: readonly string[]): Promise<Micros | null> {
  const due = sql`case when ${jobs.status} = 'queued' then ${jobs.runAt} else ${jobs.leaseUntil} end`;
  const [next] = await queries
    .select({ at: sql<Micros | null>`min(${due})`.mapWith(jobs.runAt) })
    .from(jobs)
    .where(
      and(
        sql`${jobs.kind} = any (${textArray(kinds)})`,
        inArray(jobs.status, ['queued', 'running']),
        sql`${due} > now()`,
      ),
    );
  return next?.at ?? null;
}

function fromNow(milliseconds: number): SQL {
  return sql`now() + ${milliseconds}::float8 * interval '1 millisecond'`;
}

function cut(error: string): string {
  return error.length <= ERROR_LENGTH_MAX ? error : `${error.slice(0, ERROR_LENGTH_MAX)}…`;
}
