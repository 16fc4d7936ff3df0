/**
 * The ledger's clients: each sends numbered samples of one device over one door and notes which were acknowledged. A number is
 * written down before it is sent. Now and then what was acknowledged already is sent once more, as a client does whose
 * acknowledgement was lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import type { DeviceCredentials } from '../api-session.ts';
import type { RunningServer } from '../server-process.ts';
import { Bitmap } from './bitmap.ts';

/** How samples come in: MQTT with QoS 1 or 2, or POST webhook/sensor-data with an API key. */
export const DOORS = ['qos1', 'qos2', 'http'] as const;
export type Door = (typeof DOORS)[number];

export interface ClientOptions {
  readonly index: number;
  readonly door: Door;
  readonly device: DeviceCredentials;
  readonly apiKey: string;
  readonly server: RunningServer;
  /** Messages under way. */
  readonly window: number;
  readonly samplesPerMessage: number;
  /** Time of sample 0, ms since 1970. */
  readonly startMs: number;
  /** From 0 to 1, seeded. */
  readonly chance: () => number;
}

/** Sample number n of a client has this value and time: both tell the number. */
export const STEP_MS = 7;
export const numbered = (client: number, sample: number): number => client * 1e9 + sample + 0.25;

/** Share of acknowledged messages that are sent again. */
const REPEATED = 0.02;
const RETRY_MS = 100;

export abstract class LedgerClient {
  readonly acknowledged = new Bitmap();
  /** Samples below this number were handed over, acknowledged or not. */
  sent = 0;
  protected readonly options: ClientOptions;
  protected running = true;
  #inFlight = 0;
  #onIdle: (() => void) | null = null;

  protected constructor(options: ClientOptions) {
    this.options = options;
  }

  get device(): DeviceCredentials {
    return this.options.device;
  }

  /** Breaks the connection off, without a word; the client comes back by itself. */
  abstract drop(): void;
  /** Resolves when this message is acknowledged; rejects where that can no longer come. */
  protected abstract send(first: number): Promise<void>;
  protected abstract end(): Promise<void>;

  /** Stops sending and resolves when everything under way is acknowledged. */
  async finish(): Promise<void> {
    this.running = false;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.end();
  }

  protected fill(): void {
    while (this.running && this.#inFlight < this.options.window) void this.#sendNext();
  }

  /** The message with the samples from this number on. */
  protected messages(first: number): { ts: number; metrics: { n: number } }[] {
    const { samplesPerMessage, startMs, index } = this.options;
    return Array.from({ length: samplesPerMessage }, (_, offset) => ({
      ts: startMs + (first + offset) * STEP_MS,
      metrics: { n: numbered(index, first + offset) },
    }));
  }

  async #sendNext(): Promise<void> {
    const { samplesPerMessage, chance } = this.options;
    const first = this.sent;
    this.sent += samplesPerMessage;
    this.#inFlight += 1;
    try {
      await this.send(first);
      for (let sample = first; sample < first + samplesPerMessage; sample++) this.acknowledged.add(sample);
      if (chance() < REPEATED) await this.send(first);
    } catch {
      // Never acknowledged: it may be there, or not.
      // What is published from within a failure joins the queue that mqtt.js is just failing, and fails again, for ever.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#inFlight -= 1;
    if (this.running) this.fill();
    else if (this.#inFlight === 0) this.#onIdle?.();
  }
}

/** With a lasting session: after each reconnect mqtt.js resends what is not acknowledged, with DUP set. */
class MqttLedgerClient extends LedgerClient {
  readonly #client: MqttClient;
  readonly #topic: string;

  constructor(options: ClientOptions) {
    super(options);
    const { index, device, server } = options;
    const isMqtt5 = index % 2 === 0;
    this.#topic = `v1/telemetry/${device.organizationId}/${device.key}`;
    this.#client = mqtt.connect({
      ...server.mqtt,
      protocolVersion: isMqtt5 ? 5 : 4,
      clientId: `ledger-${index}`,
      username: device.id,
      password: device.token,
      clean: false,
      reconnectPeriod: RETRY_MS,
      connectTimeout: 5_000,
      properties: isMqtt5 ? { sessionExpiryInterval: 3600 } : {},
    });
    this.#client.on('error', () => {}); // The server is killed on purpose; the client reconnects.
    this.#client.once('connect', () => this.fill());
  }

  drop(): void {
    this.#client.stream.destroy();
  }

  protected send(first: number): Promise<void> {
    const qos = this.options.door === 'qos2' ? 2 : 1;
    return new Promise((resolve, reject) => {
      this.#client.publish(this.#topic, JSON.stringify(this.messages(first)), { qos }, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  protected end(): Promise<void> {
    return this.#client.endAsync(true);
  }
}

/** Sends the same body until it is answered with 202. */
class HttpLedgerClient extends LedgerClient {
  #cut = new AbortController();

  constructor(options: ClientOptions) {
    super(options);
    this.fill();
  }

  drop(): void {
    this.#cut.abort();
    this.#cut = new AbortController();
  }

  protected async send(first: number): Promise<void> {
    const { apiKey, device } = this.options;
    const body = JSON.stringify(this.messages(first).map((message) => ({ deviceId: device.key, ...message })));
    const headers = { 'content-type': 'application/json', 'x-api-key': apiKey };
    while (!(await this.#accepted(body, headers))) await sleep(RETRY_MS);
  }

  protected async end(): Promise<void> {}

  async #accepted(body: string, headers: Record<string, string>): Promise<boolean> {
    const url = `${this.options.server.url}/api/v1/webhook/sensor-data`;
    try {
      const answer = await fetch(url, { method: 'POST', headers, body, signal: this.#cut.signal });
      await answer.arrayBuffer();
      if (answer.status === 202) return true;
      if (answer.status === 429 || answer.status >= 500) return false;
      throw new RangeError(`webhook/sensor-data answered ${answer.status}`);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      return false; // Nobody answers while the server is away.
    }
  }
}

export function openClient(options: ClientOptions): LedgerClient {
  return options.door === 'http' ? new HttpLedgerClient(options) : new MqttLedgerClient(options);
}
