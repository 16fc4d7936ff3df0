/** Starts a worker thread of this server and gives its typed stand-in. A thread that ends unasked is told through onFailure. */
import { type Transferable, Worker } from 'node:worker_threads';
import { FieldlineError, messageOf, type Remote, remote } from '@fieldline/kit';

export interface Thread<Host> {
  readonly worker: Worker;
  readonly host: Remote<Host>;
  /** Ends the worker; nothing after this is an unasked end. */
  end(): Promise<void>;
}

export interface ThreadOptions {
  readonly name: string;
  readonly file: string;
  readonly data: object;
  readonly transfer?: readonly Transferable[];
  /** Young generation of the thread's heap, MB: more for threads with much short-lived data. */
  readonly youngGenerationMb: number;
  /** How long the thread may take until it says that it is ready. */
  readonly startTimeoutMs?: number;
  onFailure(error: Error): void;
}

/** The first message of every thread, once it can be asked. */
export interface ReadyMessage {
  readonly type: 'ready';
  /** What the thread wants to hand over at its start, e.g. shared memory. */
  readonly handover?: unknown;
}

/** Starts the thread and resolves with its stand-in and handover when it is ready. */
export async function startThread<Host>(options: ThreadOptions): Promise<Thread<Host> & { handover: unknown }> {
  const worker = new Worker(new URL(options.file, import.meta.url), {
    name: options.name,
    workerData: options.data,
    resourceLimits: { maxYoungGenerationSizeMb: options.youngGenerationMb },
    transferList: [...(options.transfer ?? [])],
  });
  worker.setMaxListeners(50);
  let asked = false;
  let ready = false;
  const handover = await new Promise<unknown>((resolve, reject) => {
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      const failure =
        error instanceof FieldlineError
          ? error
          : new FieldlineError('INTERNAL', `thread ${options.name}: ${messageOf(error)}`, { cause: error });
      if (!ready) reject(failure);
      else if (!asked) options.onFailure(failure);
    };
    const timer = setTimeout(() => fail('was not ready in time'), options.startTimeoutMs ?? 120_000);
    worker.on('message', (message: ReadyMessage) => {
      if (message?.type !== 'ready') return;
      clearTimeout(timer);
      ready = true;
      resolve(message.handover);
    });
    worker.on('error', fail);
    worker.on('exit', (code) => fail(`ended with code ${code}`));
  });
  return {
    worker,
    host: remote<Host>(worker),
    handover,
    end: async () => {
      asked = true;
      await worker.terminate();
    },
  };
}
