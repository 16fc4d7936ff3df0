/** The socket that the PostgreSQL driver gets: a stream whose other end is the worker thread instead of a server. */
import { Duplex } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import type { PgliteWorkerMessage } from './worker.ts';

type Done = (error?: Error | null) => void;

export class WorkerSocket extends Duplex {
  readonly #worker: Worker;

  constructor(worker: Worker) {
    super();
    this.#worker = worker;
    worker.on('message', (message: PgliteWorkerMessage) => {
      if ('data' in message) this.push(message.data);
      else if ('failure' in message) this.destroy(new Error(`Connection terminated: ${message.failure}`));
    });
    worker.on('error', (error) => this.destroy(error));
    worker.on('exit', () => this.destroy());
  }

  /** As a net.Socket: tells that it is connected, in the next turn. */
  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  // The thread sends when it has something; PostgreSQL answers only what was asked, so the flow is bounded by the questions.
  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    // postMessage copies; a view of the driver's shared buffer must not drag all of it along.
    this.#worker.postMessage(new Uint8Array(chunk));
    done();
  }

  override _final(done: Done): void {
    this.push(null);
    done();
  }
}
