/**
 * One session at the external broker: a connection, and after its end the next one, with exponential back-off, until it is stopped
 * or (where the session is not wanted any more) has been ended. Remembers what the session is subscribed to.
 */
import { Backoff, type Logger, messageOf, sleep } from '@fieldline/kit';
import { BridgeConnection, type ConnectionOptions, subscriptionsOf } from './bridge-connection.ts';
import type { Acknowledging } from './intake.ts';
import type { RememberedSession, RememberedSessions } from './remembered-sessions.ts';

export interface LinkHandlers {
  subscribed(): void;
  message(from: Acknowledging, topic: string, payload: Uint8Array, packetId: number): void;
}

export class BrokerLink {
  readonly #options: Omit<ConnectionOptions, 'obsolete'>;
  readonly #address: string;
  readonly #sessions: RememberedSessions;
  readonly #handlers: LinkHandlers;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #backoff = new Backoff({ initialMs: 200, maximumMs: 15_000 });
  #connection: BridgeConnection | null = null;
  #isPaused = false;
  #problem: string | null = 'is not connected yet';

  #isTidied = false;

  constructor(
    options: Omit<ConnectionOptions, 'obsolete'>,
    address: string,
    sessions: RememberedSessions,
    handlers: LinkHandlers,
  ) {
    this.#options = options;
    this.#address = address;
    this.#sessions = sessions;
    this.#handlers = handlers;
    this.#logger = options.logger;
  }

  /** What hinders it, in words; null while the subscription stands. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Connects and stays connected; resolves after stop(), or when the session was ended as it should be. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const reason = await this.#once().catch(messageOf);
      if (this.#stopped.signal.aborted || (this.#options.retires && this.#isTidied)) return;
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
  async #once(): Promise<string> {
    const wanted = this.#options.retires ? [] : subscriptionsOf(this.#options);
    const obsolete = this.#known.subscriptions.filter((subscription) => !wanted.includes(subscription));
    if (wanted.length > 0) await this.#note([...obsolete, ...wanted]);
    return new Promise((resolve) => {
      const connection = new BridgeConnection(
        { ...this.#options, obsolete },
        {
          subscribed: () => {
            this.#problem = null;
            this.#handlers.subscribed();
            this.#backoff.reset();
            this.#logger.info({ clientId: this.#options.clientId }, 'subscribed at the external broker');
          },
          tidied: () => this.#tidied(obsolete, wanted),
          message: (topic, payload, packetId) => this.#handlers.message(connection, topic, payload, packetId),
          ended: (reason) => {
            this.#connection = null;
            resolve(reason);
          },
        },
      );
      this.#connection = connection;
      if (this.#isPaused) connection.pause();
    });
  }

  /** The broker has done away with what is not wanted; until that is noted it would only be asked again. */
  #tidied(obsolete: readonly string[], wanted: readonly string[]): void {
    this.#isTidied = true;
    const { clientId, retires } = this.#options;
    this.#logger.info(
      { clientId, obsolete },
      'the external broker has ended what the settings do not ask for any more',
    );
    const { address } = this.#known;
    const noted = retires ? this.#sessions.forget({ address, clientId }) : this.#note(wanted);
    noted.catch((error: unknown) =>
      this.#logger.warn({ error: messageOf(error) }, 'the bridge could not note its sessions'),
    );
  }

  get #known(): RememberedSession {
    const { clientId } = this.#options;
    const found = this.#sessions.at(this.#address).find((session) => session.clientId === clientId);
    return found ?? { address: this.#address, clientId, subscriptions: [] };
  }

  async #note(subscriptions: readonly string[]): Promise<void> {
    const known = this.#known;
    if (known.subscriptions.join('\n') === subscriptions.join('\n')) return;
    await this.#sessions.note({ ...known, subscriptions });
  }
}
