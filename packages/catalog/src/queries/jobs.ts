/** The organisation's jobs: asked for, looked at, told to rest, to go on or to end. Who does them: system-jobs.ts. */
import { FieldlineError } from '@fieldline/kit';
import { isId, newId } from '@fieldline/model';
import { and, count, desc, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { JobCatalog, Scope, SystemJobs } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import { JOB_STATUSES, type Job, type JobCounts, type JobFilter, type JobStatus } from '../rows.ts';
import { jobs } from '../schema/index.ts';
import { checkJson, checkName, checkPage, notFound, refuse } from '../validate.ts';

const UNFINISHED_MAX = 100;
const ATTEMPTS_MAX = 100;
const UNFINISHED: readonly JobStatus[] = ['queued', 'running', 'paused'];

export function jobCatalog(database: Database, scope: Scope): JobCatalog {
  const change = (id: string, from: readonly JobStatus[], to: JobStatus, also: Partial<Changes> = {}): Promise<Job> =>
    database.transaction(scope, (queries) => changeStatus(queries, id, from, to, also));
  return {
    async create({ kind, parameters, userId = null, attemptsMax = 5 }) {
      if (!Number.isInteger(attemptsMax) || attemptsMax < 1 || attemptsMax > ATTEMPTS_MAX) {
        refuse('attemptsMax', `must be 1 to ${ATTEMPTS_MAX}`);
      }
      const row = {
        id: newId(),
        organizationId: scope.organizationId,
        kind: checkName(kind, 'kind'),
        parameters: checkJson(parameters, 'parameters'),
        ...{ userId, attemptsMax, ...NOW_FOR_ALL },
      };
      return database.transaction(scope, async (queries) => {
        await refuseTooMany(queries);
        const [created] = await queries.insert(jobs).values(row).returning();
        return created!;
      });
    },

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(jobs).where(eq(jobs.id, id));
        return row ?? null;
      });
    },

    async list(filter = {}) {
      const { limit, offset } = checkPage(filter);
      const condition = conditionOf(filter);
      return database.transaction(scope, async (queries) => {
        const [all] = await queries.select({ total: count() }).from(jobs).where(condition);
        const order = [desc(jobs.createdAt), desc(jobs.id)];
        const found = queries
          .select()
          .from(jobs)
          .where(condition)
          .orderBy(...order);
        return { items: await found.limit(limit).offset(offset), total: all!.total };
      });
    },

    pause: (id) => change(id, UNFINISHED, 'paused'),
    resume: (id) =>
      change(id, [...UNFINISHED, 'failed'], 'queued', { attempts: 0, runAt: sql`now()`, finishedAt: null }),
    cancel: (id) =>
      change(id, [...UNFINISHED, 'cancelled'], 'cancelled', { finishedAt: sql`coalesce(finished_at, now())` }),

    async delete(id) {
      if (!isId(id)) return notFound('job', id);
      await database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(jobs).where(eq(jobs.id, id)).for('update');
        if (row === undefined) return notFound('job', id);
        if (UNFINISHED.includes(row.status)) throw wrongStatus(row, 'cancel it first');
        await queries.delete(jobs).where(eq(jobs.id, id));
      });
    },

    counts: () =>
      database.transaction(scope, async (queries) => {
        const isDelayed = sql<boolean>`${jobs.status} = 'queued' and ${jobs.runAt} > now()`;
        const rows = await queries
          .select({ kind: jobs.kind, status: jobs.status, isDelayed, count: count() })
          .from(jobs)
          .groupBy(jobs.kind, jobs.status, isDelayed);
        return countsOf(rows);
      }),

    cancelDelayed: () =>
      database.transaction(scope, async (queries) => {
        const isDelayed = sql`${jobs.status} = 'queued' and ${jobs.runAt} > now()`;
        const ended = { status: 'cancelled' as const, finishedAt: sql`now()`, updatedAt: sql`now()` };
        return (await queries.update(jobs).set(ended).where(isDelayed)).rowCount ?? 0;
      }),
  };
}

const NOW_FOR_ALL = { runAt: sql`now()`, createdAt: sql`now()`, updatedAt: sql`now()` };
type Changes = { attempts: number; runAt: SQL; finishedAt: SQL | null };

async function refuseTooMany(queries: Queries): Promise<void> {
  const [open] = await queries
    .select({ total: count() })
    .from(jobs)
    .where(inArray(jobs.status, [...UNFINISHED]));
  if (open!.total < UNFINISHED_MAX) return;
  const sentence = `${UNFINISHED_MAX} jobs of this organization are not finished yet; wait for some, or cancel them`;
  throw new FieldlineError('OVERLOADED', sentence, { details: { retryAfterSeconds: 60 } });
}

async function changeStatus(
  queries: Queries,
  id: string,
  from: readonly JobStatus[],
  to: JobStatus,
  also: Partial<Changes>,
): Promise<Job> {
  if (!isId(id)) return notFound('job', id);
  const [before] = await queries.select().from(jobs).where(eq(jobs.id, id)).for('update');
  if (before === undefined) return notFound('job', id);
  if (!from.includes(before.status)) throw wrongStatus(before, 'ask for a new one');
  // A job that runs goes on running: resuming it must not make it start anew.
  if (before.status === to || (to === 'queued' && before.status === 'running')) return before;
  const set = { ...also, status: to, leaseUntil: null, updatedAt: sql`now()` };
  const [row] = await queries.update(jobs).set(set).where(eq(jobs.id, id)).returning();
  return row!;
}

function wrongStatus({ id, status }: Job, advice: string): FieldlineError {
  return new FieldlineError('CONFLICT', `job ${id} is ${status}; ${advice}`, { details: { status } });
}

function conditionOf({ kind, status }: JobFilter): SQL | undefined {
  return and(kind === undefined ? undefined : eq(jobs.kind, kind), status && eq(jobs.status, status));
}

function countsOf(
  rows: readonly { kind: string; status: JobStatus; isDelayed: boolean; count: number }[],
): JobCounts[] {
  const byKind = new Map<string, Record<JobStatus | 'delayed', number>>();
  for (const { kind, status, isDelayed, count: rowCount } of rows) {
    const zero = Object.fromEntries([...JOB_STATUSES, 'delayed'].map((name) => [name, 0]));
    const counts = byKind.get(kind) ?? (zero as Record<JobStatus | 'delayed', number>);
    byKind.set(kind, counts);
    counts[status] += rowCount;
    if (isDelayed) counts.delayed += rowCount;
  }
  return Array.from(byKind, ([kind, counts]) => ({ kind, counts })).sort((a, b) => (a.kind < b.kind ? -1 : 1));
}

/** 'job:{id}:{status}', as the table's triggers send it. */
const JOB_CHANGED = /^job:([0-9a-f-]{36}):([a-z]+)$/;

/** Who wants to hear of jobs that were made or have another status. */
export class JobChanges {
  readonly #listeners = new Set<Parameters<SystemJobs['onChange']>[0]>();

  /** Takes a notification; false where it is none of a job. null = some may have been missed. */
  tell(payload: string | null): boolean {
    const [, id = null, status = null] = payload === null ? [] : (JOB_CHANGED.exec(payload) ?? []);
    if (payload !== null && id === null) return false;
    for (const listener of this.#listeners) listener(id, status as JobStatus | null);
    return true;
  }

  listen(listener: Parameters<SystemJobs['onChange']>[0]): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
