/**
 * Takes jobs from the catalog and has them done: some at a time, each from its last checkpoint, again with back-off where it
 * fails. It is woken by changes and by its own clock, and asks nothing while there is nothing to do. A job that is paused
 * or cancelled, or that another process has taken, is left off at once; a stop gives jobs back, a killed process's run on.
 */
import { Backoff, type Clock, FieldlineError, isFieldlineError, type Logger, messageOf, sleep } from '@fieldline/kit';
import { MICROS_PER_MILLI } from '@fieldline/model';
import type { SystemJobs } from '../catalog.ts';
import type { Job, JobProgress, JsonObject } from '../rows.ts';

/** What a job's work is given. */
export interface JobControl {
  /** Aborts when the job is paused, cancelled or given back: end soon, without an error or with any. */
  readonly signal: AbortSignal;
  /** Notes how far it is; what was done before is not done again after a restart. Call it about once a second. */
  progress(progress: JobProgress): Promise<void>;
}

/** Does a job of one kind; resolves with the result. An error of the caller's (4xx) is final, others are tried again. */
export type JobHandler = (job: Job, control: JobControl) => Promise<JsonObject>;

export interface JobWorkerOptions {
  readonly jobs: SystemJobs;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  /** No other process works on this catalog: jobs that are marked as running are left over, and due at once. */
  readonly exclusive: boolean;
  /** Jobs at a time; further ones wait. Default 2. */
  readonly concurrency?: number;
  /** Default 60 s. */
  readonly leaseMs?: number;
  /** So long a job runs on while others wait; then it is given back and goes behind them. Default 60 s. */
  readonly turnMs?: number;
  /** Wait before the second attempt; then twice as long each time, up to five minutes. Default 2 s. */
  readonly retryDelayMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const RETRY_DELAY_MAX_MS = 300_000;
/** A lost notification costs no more than this. */
const LOOK_INTERVAL_MS = 60_000;

interface Running {
  readonly job: Job;
  readonly aborter: AbortController;
  readonly sinceMs: number;
  isTurnOver: boolean;
  done: Promise<void>;
}

export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, Running>();
  #wake = (): void => {};
  #isAwake = false;
  #ended: Promise<void> = Promise.resolve();
  #turns: NodeJS.Timeout | undefined;
  #unlisten = (): void => {};
  /** Why no job can be taken; null where they can. */
  problem: string | null = null;

  constructor(options: JobWorkerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { jobs, exclusive } = this.#options;
    if (exclusive) await jobs.releaseAll();
    this.#unlisten = jobs.onChange((id, status) => {
      // Whoever made the change may be this worker itself.
      if (id !== null && (status === 'paused' || status === 'cancelled')) this.#running.get(id)?.aborter.abort();
      if (status !== 'running') this.#wakeUp();
    });
    this.#turns = setInterval(() => void this.#endTurn(), this.#turnMs);
    this.#ended = this.#run();
  }

  /** Gives what is under way back, to go on at the next start. */
  async stop(): Promise<void> {
    this.#unlisten();
    clearInterval(this.#turns);
    this.#stopping.abort();
    this.#wakeUp();
    for (const { aborter } of this.#running.values()) aborter.abort();
    await this.#ended;
    await Promise.all(Array.from(this.#running.values(), ({ done }) => done));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff({ initialMs: 1000, maximumMs: 60_000 });
    while (!signal.aborted) {
      this.#isAwake = false;
      let waitMs = LOOK_INTERVAL_MS;
      try {
        waitMs = Math.min(waitMs, await this.#take());
        this.problem = null;
        backoff.reset();
      } catch (error) {
        if (signal.aborted) break;
        waitMs = backoff.nextMs();
        this.problem = `jobs wait: ${messageOf(error)}`;
        this.#options.logger.warn({ error: messageOf(error) }, 'no job can be taken up; tried again');
      }
      if (!this.#isAwake) await this.#sleep(waitMs);
    }
  }

  /** Takes up as many as may run; how long there is nothing more to do, ms. */
  async #take(): Promise<number> {
    const { jobs, handlers, concurrency = 2, clock } = this.#options;
    while (this.#running.size < concurrency && !this.#stopping.signal.aborted) {
      const { job, nextDue } = await jobs.claim(Object.keys(handlers), this.#leaseMs);
      if (job !== null) this.#begin(job);
      else return nextDue === null ? Number.POSITIVE_INFINITY : (nextDue - clock.nowMicros()) / MICROS_PER_MILLI + 1;
    }
    return Number.POSITIVE_INFINITY;
  }

  #begin(job: Job): void {
    // Paused and resumed while its work was still ending: two at the same job would be in each other's way.
    const before = this.#running.get(job.id)?.done ?? Promise.resolve();
    const sinceMs = this.#options.clock.monotonicMs();
    const running: Running = { job, aborter: new AbortController(), sinceMs, isTurnOver: false, done: before };
    this.#running.set(job.id, running);
    if (this.#stopping.signal.aborted) running.aborter.abort();
    running.done = before
      .then(() => this.#do(running))
      .finally(() => {
        if (this.#running.get(job.id) === running) this.#running.delete(job.id);
        this.#wakeUp();
      });
  }

  /** Where others wait, the one that has run longest gives its place up: one that keeps a slow pace may run for months. */
  async #endTurn(): Promise<void> {
    const { jobs, handlers, clock, logger } = this.#options;
    const [longest] = [...this.#running.values()].sort((a, b) => a.sinceMs - b.sinceMs);
    if (longest === undefined || clock.monotonicMs() - longest.sinceMs < this.#turnMs) return;
    try {
      if (!(await jobs.isAnyWaiting(Object.keys(handlers)))) return;
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'whether a job waits is not known');
      return;
    }
    longest.isTurnOver = true;
    longest.aborter.abort();
  }

  /** Does not reject. */
  async #do(running: Running): Promise<void> {
    const { jobs, logger } = this.#options;
    const { job, aborter } = running;
    // Long work that says nothing for a while keeps its lease all the same.
    const lease = setInterval(() => void this.#keep(job, aborter), this.#leaseMs / 3);
    try {
      if (!aborter.signal.aborted) await this.#attempt(job, aborter);
    } catch (error) {
      // The catalog is away: the lease runs out, and the job is taken up again.
      logger.warn({ job: job.id, kind: job.kind, error: messageOf(error) }, 'the end of a job could not be noted');
    } finally {
      clearInterval(lease);
      if (this.#stopping.signal.aborted || running.isTurnOver) {
        await jobs.release(job, running.isTurnOver ? 'last' : 'kept').catch(() => {
          // The next start takes it over without this, or the lease runs out.
        });
      }
    }
  }

  async #attempt(job: Job, aborter: AbortController): Promise<void> {
    const { jobs, handlers, logger } = this.#options;
    if (job.attempts > job.attemptsMax) {
      const often = `${job.attemptsMax} times in a row without coming further`;
      await jobs.fail(job, `the job was interrupted ${often}${job.error === null ? '' : `; before: ${job.error}`}`);
      return;
    }
    let result: JsonObject;
    try {
      result = await handlers[job.kind]!(job, {
        signal: aborter.signal,
        progress: (progress) => this.#progress(job, aborter, progress),
      });
    } catch (error) {
      if (aborter.signal.aborted) return;
      logger.warn({ job: job.id, kind: job.kind, error: messageOf(error), attempt: job.attempts }, 'a job has failed');
      await this.#failed(job, error);
      return;
    }
    if (!aborter.signal.aborted) await jobs.complete(job, result);
  }

  async #failed(job: Job, error: unknown): Promise<void> {
    const { jobs } = this.#options;
    const now = (await jobs.get(job.id))?.attempts ?? job.attempts;
    if (isFinal(error) || now >= job.attemptsMax) await jobs.fail(job, messageOf(error));
    else await jobs.retry(job, messageOf(error), this.#retryDelayMs(now));
  }

  async #progress(job: Job, aborter: AbortController, progress: JobProgress): Promise<void> {
    if (await this.#options.jobs.progress(job, progress, this.#leaseMs)) return;
    aborter.abort();
    throw new FieldlineError('STOPPED', `job ${job.id} was paused, cancelled or taken over`);
  }

  async #keep(job: Job, aborter: AbortController): Promise<void> {
    try {
      if (!(await this.#options.jobs.prolong(job, this.#leaseMs))) aborter.abort();
    } catch (error) {
      this.#options.logger.debug({ job: job.id, error: messageOf(error) }, 'the lease was not prolonged');
    }
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? 60_000;
  }

  get #turnMs(): number {
    return this.#options.turnMs ?? 60_000;
  }

  #retryDelayMs(attempts: number): number {
    const { retryDelayMs = 2000 } = this.#options;
    return Math.min(RETRY_DELAY_MAX_MS, retryDelayMs * 2 ** (attempts - 1));
  }

  #wakeUp(): void {
    this.#isAwake = true;
    this.#wake();
  }

  async #sleep(milliseconds: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await sleep(milliseconds, woken.signal);
    this.#wake = () => {};
  }
}

/** An error that means the same however often it is tried. */
function isFinal(error: unknown): boolean {
  if (!isFieldlineError(error) || error.code === 'OVERLOADED' || error.code === 'RATE_LIMITED') return false;
  return error.status >= 400 && error.status < 500;
}
