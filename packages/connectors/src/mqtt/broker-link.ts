/** One place in the bridge: a connection, and after its end the next one, with exponential back-off, until it is stopped. */
import { Backoff, type Logger, sleep } from '@fieldline/kit';
import { BridgeConnection, type ConnectionOptions } from './bridge-connection.ts';
import type { Acknowledging } from './intake.ts';

export interface LinkHandlers {
  subscribed(): void;
  message(from: Acknowledging, topic: string, payload: Uint8Array, packetId: number): void;
}

export class BrokerLink {
  readonly #options: ConnectionOptions;
  readonly #handlers: LinkHandlers;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #backoff = new Backoff({ initialMs: 200, maximumMs: 15_000 });
  #connection: BridgeConnection | null = null;
  #isPaused = false;
  #problem: string | null = 'is not connected yet';

  constructor(options: ConnectionOptions, handlers: LinkHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#logger = options.logger;
  }

  /** What hinders it, in words; null while the subscription stands. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Connects and stays connected; resolves after stop(). */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const reason = await this.#once();
      if (this.#stopped.signal.aborted) return;
      if (this.#problem !== reason) {
        this.#logger.warn({ reason, clientId: this.#options.clientId }, 'the external broker is away; tried again');
      }
      this.#problem = reason;
      await sleep(this.#backoff.nextMs(), this.#stopped.signal);
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#connection?.resume();
  }

  stop(): void {
    this.#stopped.abort();
    this.#connection?.disconnect();
  }

  /** Lives one connection; resolves with why it ended. */
  #once(): Promise<string> {
    return new Promise((resolve) => {
      const connection = new BridgeConnection(this.#options, {
        subscribed: () => {
          this.#problem = null;
          this.#handlers.subscribed();
          this.#backoff.reset();
          this.#logger.info({ clientId: this.#options.clientId }, 'subscribed at the external broker');
        },
        message: (topic, payload, packetId) => this.#handlers.message(connection, topic, payload, packetId),
        ended: (reason) => {
          this.#connection = null;
          resolve(reason);
        },
      });
      this.#connection = connection;
      if (this.#isPaused) connection.pause();
    });
  }
}
