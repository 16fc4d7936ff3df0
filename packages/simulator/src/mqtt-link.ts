/**
 * One device's MQTT 5 connection. In: payloads for its topic; out: QoS 1 publications, as many at once as the broker
 * allows, the others waiting in a bounded buffer (full: the oldest is dropped and counted). It reconnects by itself; what
 * was under way is sent again by the client library, what waited follows in a burst.
 */
import { Backoff, messageOf } from '@fieldline/kit';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Statistics } from './statistics.ts';

/** Publications under way at once, unless the broker allows fewer (MQTT 5, 3.2.2.3.3 Receive Maximum). */
const IN_FLIGHT_MAX = 64;

export interface MqttLinkOptions {
  readonly url: string;
  readonly client: IClientOptions;
  readonly topic: string;
  readonly bufferMessagesMax: number;
  readonly statistics: Statistics;
  /** Told when the connection fails in a new way. */
  readonly onProblem: (problem: string) => void;
}

interface Waiting {
  readonly payload: Uint8Array;
  readonly samples: number;
}

export class MqttLink {
  readonly #options: MqttLinkOptions;
  readonly #client: MqttClient;
  readonly #backoff = new Backoff({ initialMs: 500, maximumMs: 15_000 });
  readonly #waiters: { backlogMax: number; resolve: () => void }[] = [];
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #inFlightMax = IN_FLIGHT_MAX;
  #connected = false;
  #closed = false;
  #lastProblem = '';

  constructor(options: MqttLinkOptions) {
    this.#options = options;
    this.#client = mqtt.connect(options.url, {
      protocolVersion: 5,
      clean: true,
      keepalive: 30,
      connectTimeout: 10_000,
      reconnectPeriod: this.#backoff.nextMs(),
      resubscribe: false,
      ...options.client,
    });
    this.#client.on('connect', (packet) => {
      this.#setConnected(true);
      this.#backoff.reset();
      this.#lastProblem = '';
      this.#inFlightMax = Math.min(IN_FLIGHT_MAX, packet.properties?.receiveMaximum ?? IN_FLIGHT_MAX);
      this.#pump();
    });
    this.#client.on('close', () => this.#setConnected(false));
    this.#client.on('reconnect', () => {
      this.#client.options.reconnectPeriod = this.#backoff.nextMs();
    });
    this.#client.on('error', (error) => this.#tell(messageOf(error)));
  }

  /** Messages that wait or are under way. */
  get backlog(): number {
    return this.#waiting.length + this.#inFlight;
  }

  /** Sends a message, now or when there is room and a connection. */
  send(payload: Uint8Array, samples: number): void {
    const { bufferMessagesMax, statistics } = this.#options;
    if (this.#closed) return;
    if (this.#waiting.length === bufferMessagesMax) {
      this.#waiting.shift();
      statistics.droppedMessages += 1;
      statistics.bufferedMessages -= 1;
    }
    this.#waiting.push({ payload, samples });
    statistics.bufferedMessages += 1;
    this.#pump();
  }

  /** Resolves when no more than `backlogMax` messages are left, or the link is closed. */
  drained(backlogMax: number): Promise<void> {
    if (this.backlog <= backlogMax || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ backlogMax, resolve }));
  }

  /** Tears the connection as a cable would be torn, for so long. */
  breakOff(forMs: number): void {
    if (!this.#connected) return;
    this.#client.options.reconnectPeriod = forMs;
    this.#client.stream.destroy();
  }

  /** Waits up to `graceMs` for what is left, then disconnects. */
  async close(graceMs: number): Promise<void> {
    if (this.#closed) return;
    const patience = AbortSignal.timeout(graceMs);
    const givenUp = new Promise<void>((resolve) => patience.addEventListener('abort', () => resolve()));
    if (this.#connected) await Promise.race([this.drained(0), givenUp]);
    this.#closed = true;
    this.#release();
    const { statistics } = this.#options;
    statistics.droppedMessages += this.#waiting.length;
    statistics.bufferedMessages -= this.#waiting.length;
    this.#waiting = [];
    await new Promise<void>((resolve) => this.#client.end(!this.#connected, () => resolve()));
  }

  #pump(): void {
    while (this.#connected && this.#inFlight < this.#inFlightMax && this.#waiting.length > 0) {
      this.#publish(this.#waiting.shift()!);
    }
  }

  #publish({ payload, samples }: Waiting): void {
    const { topic, statistics } = this.#options;
    const startedMs = performance.now();
    this.#inFlight += 1;
    statistics.bufferedMessages -= 1;
    statistics.sentMessages += 1;
    statistics.sentSamples += samples;
    this.#client.publish(topic, payload as Buffer, { qos: 1 }, (error) => {
      this.#inFlight -= 1;
      if (error) {
        statistics.failedMessages += 1;
        if (!this.#closed) this.#tell(`${topic} was not taken: ${messageOf(error)}`);
      } else statistics.acknowledged(performance.now() - startedMs);
      this.#pump();
      this.#release();
    });
  }

  #release(): void {
    for (let at = this.#waiters.length - 1; at >= 0; at--) {
      if (!this.#closed && this.backlog > this.#waiters[at]!.backlogMax) continue;
      this.#waiters.splice(at, 1)[0]!.resolve();
    }
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#options.statistics.connected += connected ? 1 : -1;
  }

  #tell(problem: string): void {
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    this.#options.onProblem(problem);
  }
}
