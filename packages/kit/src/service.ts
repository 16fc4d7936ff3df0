/**
 * A service is a part with a life: it starts once, runs, may fail, stops once. Starting or stopping twice is fine: the
 * second call gets the first one's promise. Stopping while it starts waits for the start. Health tells the state truly.
 */
import { messageOf } from './errors.ts';

export type ServiceState = 'new' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

export interface Health {
  readonly name: string;
  readonly state: ServiceState;
  /** True where the part can do its work now. */
  readonly ready: boolean;
  /** What is wrong, in words; absent where nothing is. */
  readonly problem?: string;
}

export interface ServiceHooks {
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
  /** What hinders the work of a running part, in words; null where nothing does. */
  problem?(): string | null;
}

export class Service {
  readonly name: string;
  readonly #hooks: ServiceHooks;
  #state: ServiceState = 'new';
  #failure: unknown;
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(name: string, hooks: ServiceHooks) {
    this.name = name;
    this.#hooks = hooks;
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** Starts the part; rejects (and the state is 'failed') where it cannot. */
  start(): Promise<void> {
    this.#starting ??= this.#run('starting', 'running', () => this.#hooks.start());
    return this.#starting;
  }

  /** Stops the part; a part that was never started is stopped at once. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** A running part says that it can go on no longer. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#state = 'failed';
  }

  health(): Health {
    const problem = this.#state === 'failed' ? messageOf(this.#failure) : (this.#hooks.problem?.() ?? null);
    const ready = this.#state === 'running' && problem === null;
    return { name: this.name, state: this.#state, ready, ...(problem === null ? {} : { problem }) };
  }

  async #stop(): Promise<void> {
    if (this.#starting === null) {
      this.#state = 'stopped';
      return;
    }
    await this.#starting.catch(() => {});
    await this.#run('stopping', 'stopped', () => this.#hooks.stop());
  }

  async #run(during: ServiceState, after: ServiceState, work: () => Promise<void> | void): Promise<void> {
    this.#state = during;
    try {
      await work();
      this.#state = after;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }
}
