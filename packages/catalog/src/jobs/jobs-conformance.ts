/** The contract of jobs as tests, for both databases: taken up, paused, cancelled, tried again, given back, gone on with after a killed worker, tenants apart. */
import { silentLogger, sleep, systemClock } from '@fieldline/kit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Catalog, ScopedCatalog } from '../catalog.ts';
import type { Job, JobStatus } from '../rows.ts';
import { newOrganization, until } from '../testing.ts';
import { type JobHandler, JobWorker, type JobWorkerOptions } from './job-worker.ts';

let catalog: Catalog;
let mine: ScopedCatalog;
const workers: JobWorker[] = [];

async function work(handlers: Record<string, JobHandler>, more: Partial<JobWorkerOptions> = {}): Promise<JobWorker> {
  const base = { jobs: catalog.system.jobs, exclusive: false, retryDelayMs: 1, clock: systemClock };
  const worker = new JobWorker({ ...base, logger: silentLogger, handlers, ...more });
  workers.push(worker);
  await worker.start();
  return worker;
}

const create = async (kind: string, more: object = {}): Promise<Job> => {
  mine = await newOrganization(catalog);
  return mine.jobs.create({ kind, parameters: { word: 'x' }, ...more });
};
const reached = (id: string, status: JobStatus): Promise<Job> =>
  until(`the job to be ${status}`, async () => {
    const job = await mine.jobs.get(id);
    return job?.status === status ? job : null;
  });
const resting: JobHandler = async (_, { signal }) => {
  await sleep(60_000, signal);
  return {};
};

/** @param open a catalog of its own for these tests */
export function jobsConformance(name: string, open: () => Promise<Catalog>): void {
  describe(`jobs on ${name}`, () => {
    beforeAll(async () => {
      catalog = await open();
    });
    afterAll(() => catalog.close());
    afterEach(async () => {
      await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    });

    test('a job is taken up at once, tells how far it is, and leaves its result', async () => {
      await work({
        count: async ({ parameters }, { progress }) => {
          await progress({ done: 1, total: 2, checkpoint: { at: 1 } });
          return { parameters };
        },
      });
      const { id } = await create('count');
      const job = await reached(id, 'completed');
      expect(job).toMatchObject({ progressDone: 2, progressTotal: 2, checkpoint: { at: 1 }, error: null });
      expect(job.result).toEqual({ parameters: { word: 'x' } });
      expect(job.finishedAt).not.toBeNull();
    });

    test('what fails is tried again from its checkpoint; an error of the caller is final', async () => {
      let attempts = 0;
      await work({
        shaky: async ({ checkpoint }, { progress }) => {
          attempts += 1;
          if (attempts === 1) {
            await progress({ done: 1, total: null, checkpoint: { at: 1 } });
            throw new Error('once');
          }
          return { from: checkpoint };
        },
        hopeless: async () => {
          throw new Error('always');
        },
      });
      const { id } = await create('shaky');
      expect((await reached(id, 'completed')).result).toEqual({ from: { at: 1 } });
      const { id: other } = await create('hopeless', { attemptsMax: 3 });
      expect(await reached(other, 'failed')).toMatchObject({ attempts: 3, error: 'always' });
    });

    test('paused it rests, resumed it goes on, cancelled it ends', async () => {
      await work({ rest: resting });
      const { id } = await create('rest');
      await reached(id, 'running');
      expect((await mine.jobs.pause(id)).status).toBe('paused');
      expect((await mine.jobs.pause(id)).status).toBe('paused');
      await mine.jobs.resume(id);
      await reached(id, 'running');
      await mine.jobs.cancel(id);
      expect((await reached(id, 'cancelled')).finishedAt).not.toBeNull();
      await expect(mine.jobs.resume(id)).rejects.toMatchObject({ code: 'CONFLICT' });
      await mine.jobs.delete(id);
      expect(await mine.jobs.get(id)).toBeNull();
    });

    test('a stop gives the job back, and the next worker takes it without a lost attempt', async () => {
      const worker = await work({ rest: resting });
      const { id } = await create('rest');
      await reached(id, 'running');
      await worker.stop();
      expect(await reached(id, 'queued')).toMatchObject({ attempts: 0 });
      await work({ rest: async () => ({ done: true }) });
      await reached(id, 'completed');
    });

    test('a job whose worker has vanished runs on: at once where the process is alone, else when its lease is over', async () => {
      const { id } = await create('lost');
      const { job } = await catalog.system.jobs.claim(['lost'], 600_000);
      expect(job?.id).toBe(id);
      await work({ lost: async () => ({ taken: true }) }, { exclusive: true });
      await reached(id, 'completed');
      expect(await catalog.system.jobs.complete(job!, { by: 'the one that vanished' })).toBe(false);
      expect((await mine.jobs.get(id))!.result).toEqual({ taken: true });

      const late = await create('late');
      await catalog.system.jobs.claim(['late'], 50);
      await work({ late: async () => ({}) });
      await reached(late.id, 'completed');
    });

    test('a job that ends its process again and again is given up', async () => {
      const { id } = await create('deadly', { attemptsMax: 2 });
      for (let round = 0; round < 2; round++) {
        await catalog.system.jobs.claim(['deadly'], 0);
      }
      await work({ deadly: async () => ({}) }, { exclusive: true });
      expect((await reached(id, 'failed')).error).toContain('interrupted 2 times');
    });

    test('one of an organisation at a time; another organisation does not wait for it', async () => {
      await work({ rest: resting });
      const first = await create('rest');
      const second = await mine.jobs.create({ kind: 'rest', parameters: {} });
      await reached(first.id, 'running');
      const before = mine;
      const other = await create('rest');
      await reached(other.id, 'running');
      expect((await before.jobs.get(second.id))!.status).toBe('queued');
      await mine.jobs.cancel(other.id);
      await before.jobs.cancel(first.id);
      mine = before;
      await reached(second.id, 'running');
      await before.jobs.cancel(second.id);
    });

    test('resumed while its work is still ending it begins when that has ended, and can be paused again', async () => {
      const endings: (() => void)[] = [];
      let begun = 0;
      let atWork = 0;
      let atWorkMost = 0;
      const slowToEnd: JobHandler = async (_, { signal }) => {
        begun += 1;
        atWork += 1;
        atWorkMost = Math.max(atWorkMost, atWork);
        await sleep(60_000, signal);
        await new Promise<void>((resolve) => endings.push(resolve));
        atWork -= 1;
        return {};
      };
      const worker = await work({ slow: slowToEnd });
      const { id } = await create('slow');
      await reached(id, 'running');
      await until('the work to have begun', async () => begun === 1);
      await mine.jobs.pause(id);
      await until('the first to be told', async () => endings.length === 1);
      await mine.jobs.resume(id);
      await reached(id, 'running');
      endings[0]!();
      await until('the second to be at work', async () => begun === 2);
      await mine.jobs.pause(id);
      await until('the second to be told', async () => endings.length === 2);
      let isStopped = false;
      const stopped = worker.stop().then(() => {
        isStopped = true;
      });
      await sleep(20);
      expect(isStopped).toBe(false);
      endings[1]!();
      await stopped;
      expect([atWork, atWorkMost]).toEqual([0, 1]);
    });

    test('jobs that run long take turns with those that wait, and lose no attempt by it', async () => {
      await work({ rest: resting }, { concurrency: 1, turnMs: 30 });
      const first = await create('rest');
      const before = mine;
      await reached(first.id, 'running');
      const second = await create('rest');
      await reached(second.id, 'running');
      const third = await before.jobs.create({ kind: 'rest', parameters: {} });
      mine = before;
      await reached(third.id, 'running');
      expect(await reached(first.id, 'running')).toMatchObject({ attempts: 1, error: null });
      for (const id of [first.id, third.id]) await before.jobs.cancel(id);
      await catalog.system.jobs.delete([second.id]);
    });

    test('organisations see and touch their own jobs alone, and count and clear their delayed ones', async () => {
      const { id } = await create('never');
      const theirs = mine;
      const { job } = await catalog.system.jobs.claim(['never'], 60_000);
      await catalog.system.jobs.retry(job!, 'later', 600_000);
      mine = await newOrganization(catalog);
      expect(await mine.jobs.get(id)).toBeNull();
      expect((await mine.jobs.list()).total).toBe(0);
      expect(await mine.jobs.counts()).toEqual([]);
      expect(await mine.jobs.cancelDelayed()).toBe(0);
      for (const touch of [mine.jobs.pause, mine.jobs.resume, mine.jobs.cancel, mine.jobs.delete]) {
        await expect(touch(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
      const limited = catalog.scoped({ ...theirs.scope, siteIds: [] });
      expect((await limited.jobs.list()).total).toBe(0);
      expect(await theirs.jobs.counts()).toMatchObject([
        { kind: 'never', counts: { queued: 1, delayed: 1, running: 0 } },
      ]);
      expect(await theirs.jobs.cancelDelayed()).toBe(1);
      expect((await theirs.jobs.get(id))!.status).toBe('cancelled');
    });

    test('a character that no text can hold is named', async () => {
      await create('never');
      await expect(mine.jobs.list({ kind: '\0' })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: expect.stringContaining('U+0000'),
      });
    });

    test('a worker with nothing to do asks the database nothing', async () => {
      let claims = 0;
      const { jobs } = catalog.system;
      const counting = {
        ...jobs,
        claim: (...args: Parameters<typeof jobs.claim>) => jobs.claim(...args).finally(() => (claims += 1)),
      };
      await work({ quiet: async () => ({}) }, { jobs: counting });
      // What the tests before have left may wake it once more.
      await until('nothing asked for a while', async () => {
        const before = claims;
        await sleep(300);
        return before > 0 && claims === before;
      });
      const { id } = await create('quiet');
      await reached(id, 'completed');
    });
  });
}
