/**
 * Devices that publish numbered samples over MQTT, a few messages under way each, reconnect for ever, and know what was
 * acknowledged; the delay of each acknowledgement is noted. Later every acknowledged sample must be there once.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { type ApiSession, type DeviceCredentials, eventually } from './api-session.ts';
import type { RunningServer } from './server-process.ts';

export interface StreamOptions {
  /** Messages under way per device. Default 5. */
  readonly window?: number;
  readonly samplesPerMessage?: number;
  /** Pause of a device behind each acknowledgement, ms. Default 2. */
  readonly pauseMs?: number;
  /** Every second device publishes with QoS 2. Default false. */
  readonly alsoQos2?: boolean;
}

const STEP_MS = 3;
const METRIC = 'n';
/** Delays that are remembered: the newest. */
const DELAYS_MAX = 20_000;

interface Source {
  readonly device: DeviceCredentials;
  readonly client: MqttClient;
  readonly qos: 1 | 2;
  /** First sample numbers of acknowledged messages. */
  readonly acknowledged: Set<number>;
  next: number;
  underWay: number;
}

export class SampleStream {
  readonly #startMs = Date.now() - 12 * 3_600_000;
  readonly #sources: Source[] = [];
  readonly #options: Required<StreamOptions>;
  #delaysMs: number[] = [];
  #isRunning = true;

  private constructor(options: StreamOptions) {
    this.#options = { window: 5, samplesPerMessage: 1, pauseMs: 2, alsoQos2: false, ...options };
  }

  static async begin(
    server: RunningServer,
    api: ApiSession,
    deviceCount: number,
    options: StreamOptions = {},
    prefix = 'stream-',
  ): Promise<SampleStream> {
    const stream = new SampleStream(options);
    for (const device of await api.createDevices(deviceCount, prefix)) stream.#add(server, device);
    return stream;
  }

  /** Samples that were acknowledged so far. */
  get acknowledged(): number {
    const messages = this.#sources.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
    return messages * this.#options.samplesPerMessage;
  }

  /** Acknowledgement delays since the last call, ascending, ms. */
  takeDelays(): number[] {
    const delays = this.#delaysMs.sort((a, b) => a - b);
    this.#delaysMs = [];
    return delays;
  }

  /** Resolves when every device has got acknowledgements from now on. */
  async flows(): Promise<void> {
    const before = this.#sources.map(({ acknowledged }) => acknowledged.size);
    const flows = (): boolean =>
      this.#sources.every(({ acknowledged }, index) => acknowledged.size > before[index]! + 10);
    await eventually('acknowledgements for every device', () => (flows() ? true : null), 60_000);
  }

  /** Publishes nothing more and resolves when all that is under way is acknowledged. */
  async finish(limitMs = 60_000): Promise<void> {
    this.#isRunning = false;
    const isIdle = (): boolean => this.#sources.every(({ underWay }) => underWay === 0);
    await eventually('the last acknowledgements', () => (isIdle() ? true : null), limitMs);
    await this.abort();
  }

  /** Cuts every connection; the clients come back and send again what was not answered. */
  breakConnections(): void {
    for (const { client } of this.#sources) client.stream.destroy();
  }

  async abort(): Promise<void> {
    this.#isRunning = false;
    for (const { client } of this.#sources) client.end(true);
  }

  /** Compares with what can be read; waits for the pipeline first, so long at most. */
  async compare(
    api: ApiSession,
    catchUpMsMax = 300_000,
  ): Promise<{ acknowledged: number; lost: number; doubled: number }> {
    await eventually(
      'the pipeline to catch up',
      async () => {
        const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
        return lag.records === 0 ? true : null;
      },
      catchUpMsMax,
      200,
    );
    let [lost, doubled] = [0, 0];
    for (const { device, acknowledged, next } of this.#sources) {
      const samples = await api.samples(device.id, METRIC, this.#startMs, this.#startMs + (next + 1) * STEP_MS);
      const found = new Set(samples.map(([, value]) => value));
      doubled += samples.length - found.size;
      for (const first of acknowledged) {
        for (let sample = first; sample < first + this.#options.samplesPerMessage; sample++) {
          if (!found.has(sample)) lost += 1;
        }
      }
    }
    return { acknowledged: this.acknowledged, lost, doubled };
  }

  #add(server: RunningServer, device: DeviceCredentials): void {
    const client = mqtt.connect({
      ...server.mqtt,
      protocolVersion: 5,
      clientId: device.key,
      username: device.id,
      password: device.token,
      clean: false,
      reconnectPeriod: 200,
      reconnectOnConnackError: true,
      properties: { sessionExpiryInterval: 3600 },
    });
    client.on('error', () => {}); // The server is harmed on purpose; the client reconnects.
    const qos: 1 | 2 = this.#options.alsoQos2 && this.#sources.length % 2 === 1 ? 2 : 1;
    const source = { device, client, qos, acknowledged: new Set<number>(), next: 0, underWay: 0 };
    this.#sources.push(source);
    client.once('connect', () => {
      for (let count = 0; count < this.#options.window; count++) this.#publish(source);
    });
  }

  #publish(source: Source): void {
    if (!this.#isRunning) return;
    const { device, client, qos, acknowledged } = source;
    const first = source.next;
    source.next += this.#options.samplesPerMessage;
    source.underWay += 1;
    const messages = Array.from({ length: this.#options.samplesPerMessage }, (_, index) => ({
      ts: this.#startMs + (first + index) * STEP_MS,
      metrics: { [METRIC]: first + index },
    }));
    const started = performance.now();
    client.publish(
      `v1/telemetry/${device.organizationId}/${device.key}`,
      JSON.stringify(messages),
      { qos },
      (error) => {
        source.underWay -= 1;
        if (!error) {
          acknowledged.add(first);
          if (this.#delaysMs.length < DELAYS_MAX) this.#delaysMs.push(performance.now() - started);
        }
        setTimeout(() => this.#publish(source), this.#options.pauseMs);
      },
    );
  }
}
