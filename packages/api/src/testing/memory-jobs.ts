/** Jobs in memory, as the catalog keeps them; nobody does them. */
import type { Job, JobCatalog, JobStatus } from '@fieldline/catalog';
import { FieldlineError } from '@fieldline/kit';
import { type Micros, newId } from '@fieldline/model';

const UNFINISHED: readonly JobStatus[] = ['queued', 'running', 'paused'];

export class MemoryJobs {
  readonly #jobs = new Map<string, Job>();
  readonly #now: () => Micros;

  constructor(now: () => Micros) {
    this.#now = now;
  }

  /** The door of one organisation; a scope of some sites sees none. */
  of(organizationId: string, siteIds: readonly string[] | null): JobCatalog {
    const own = (): Job[] =>
      siteIds === null ? [...this.#jobs.values()].filter((job) => job.organizationId === organizationId) : [];
    const find = (id: string): Job => {
      const job = own().find((one) => one.id === id);
      if (job === undefined) throw new FieldlineError('NOT_FOUND', `there is no job ${id}`);
      return job;
    };
    const put = (job: Job, changes: Partial<Job> = {}): Job => {
      const changed = { ...job, ...changes, updatedAt: this.#now() };
      this.#jobs.set(job.id, changed);
      return changed;
    };
    const change = (id: string, from: readonly JobStatus[], status: JobStatus): Job => {
      const job = find(id);
      if (!from.includes(job.status)) throw new FieldlineError('CONFLICT', `job ${id} is ${job.status}`);
      return put(job, { status, finishedAt: UNFINISHED.includes(status) ? null : this.#now() });
    };
    return {
      create: async ({ kind, parameters, userId = null, attemptsMax = 5 }) =>
        put({
          ...{ id: newId(), organizationId, kind, status: 'queued', parameters, checkpoint: null, userId, attemptsMax },
          ...{ progressDone: 0, progressTotal: null, progressAtStart: 0, result: null, error: null, attempts: 0 },
          ...{ runAt: this.#now(), leaseUntil: null, createdAt: this.#now(), updatedAt: this.#now() },
          ...{ startedAt: null, finishedAt: null },
        }),
      get: async (id) => own().find((job) => job.id === id) ?? null,
      list: async ({ kind, status, limit = 50, offset = 0 } = {}) => {
        const found = own().filter(
          (job) => (kind === undefined || job.kind === kind) && (status === undefined || job.status === status),
        );
        return { items: found.reverse().slice(offset, offset + limit), total: found.length };
      },
      pause: async (id) => change(id, UNFINISHED, 'paused'),
      resume: async (id) => change(id, [...UNFINISHED, 'failed'], 'queued'),
      cancel: async (id) => change(id, [...UNFINISHED, 'cancelled'], 'cancelled'),
      delete: async (id) => {
        if (UNFINISHED.includes(find(id).status)) throw new FieldlineError('CONFLICT', `job ${id} is not finished`);
        this.#jobs.delete(id);
      },
      counts: async () =>
        [...Map.groupBy(own(), ({ kind }) => kind)].map(([kind, of]) => {
          const count = (status: JobStatus): number => of.filter((job) => job.status === status).length;
          const { queued, running, paused } = {
            queued: count('queued'),
            running: count('running'),
            paused: count('paused'),
          };
          const ended = { completed: count('completed'), failed: count('failed'), cancelled: count('cancelled') };
          return { kind, counts: { queued, running, paused, ...ended, delayed: 0 } };
        }),
      cancelDelayed: async () => 0,
    };
  }
}
