/**
 * The bridge from an external MQTT 5 broker (EMQX, Mosquitto, HiveMQ …): shared subscriptions at QoS 1 in, raw records in the
 * log out. Promise: a message is acknowledged to the broker when it is durable here, so neither side can lose it; after a
 * connection that broke it may come twice, and has its effect once by its source time.
 */
import { type Health, Service } from '@fieldline/kit';
import type { BridgeRoute, MqttBridgeOptions } from './bridge-options.ts';
import { BrokerLink } from './broker-link.ts';
import { type Acknowledging, Intake } from './intake.ts';

/** Topics whose route is remembered; when full all are forgotten. */
const ROUTES_MAX = 100_000;
const STOP_TIMEOUT_MS = 5_000;

export class MqttBridge {
  readonly #options: MqttBridgeOptions;
  readonly #intake: Intake;
  readonly #links: readonly BrokerLink[];
  readonly #retiring: readonly BrokerLink[];
  readonly #routes = new Map<string, BridgeRoute>();
  readonly #service: Service;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: MqttBridgeOptions) {
    this.#options = options;
    const { metrics } = options;
    const records = metrics.counter('bridge_records_total', 'Messages of the external broker that are durable');
    const bytes = metrics.counter('bridge_bytes_total', 'Payload bytes of the external broker that are durable');
    const connects = metrics.counter('bridge_connects_total', 'Times that the bridge has subscribed');
    this.#intake = new Intake({
      pendingBytesMax: options.pendingBytesMax,
      appendToLog: (batch) => options.appendToLog(batch),
      durable: (recordCount, byteLength) => {
        records.inc(recordCount);
        bytes.inc(byteLength);
      },
      hasRoom: () => {
        for (const link of this.#all) link.resume();
      },
      logger: options.logger,
    });
    const handlers = { subscribed: () => connects.inc(), message: this.#take.bind(this) };
    const link = (clientId: string, retires: boolean): BrokerLink =>
      new BrokerLink({ ...options, clientId, retires }, this.#address, options.sessions, handlers);
    const clientIds = Array.from({ length: options.connections }, (_, index) => `${options.clientId}-${index + 1}`);
    this.#links = clientIds.map((clientId) => link(clientId, false));
    // Sessions of earlier settings: what waits in them is fetched, then they end.
    this.#retiring = options.sessions
      .at(this.#address)
      .filter(({ clientId }) => !clientIds.includes(clientId))
      .map(({ clientId }) => link(clientId, true));
    this.#registerGauges();
    this.#service = new Service('connectors', {
      start: () => {
        this.#running = Promise.all(this.#all.map((link) => link.run()));
      },
      stop: () => this.#stop(),
      problem: () => this.#problem(),
    });
  }

  /** Begins to connect; that the broker is not there is no failure, it is tried again. */
  start(): Promise<void> {
    return this.#service.start();
  }

  /** Takes nothing more, acknowledges what becomes durable within seconds, and disconnects; the session stays. */
  stop(): Promise<void> {
    return this.#service.stop();
  }

  health(): Health {
    return this.#service.health();
  }

  /** Routes are asked for again: call it whenever devices or mappings have changed. */
  forgetRoutes(): void {
    this.#routes.clear();
  }

  get #all(): BrokerLink[] {
    return [...this.#links, ...this.#retiring];
  }

  async #stop(): Promise<void> {
    for (const link of this.#all) link.pause();
    const giveUp = setTimeout(() => this.#intake.giveUp(), STOP_TIMEOUT_MS);
    await this.#intake.drained();
    clearTimeout(giveUp);
    for (const link of this.#all) link.stop();
    await this.#running;
  }

  #take(from: Acknowledging, topic: string, payload: Uint8Array, packetId: number): void {
    this.#intake.take(this.#routeOf(topic), this.#options.clock.nowMicros(), payload, from, packetId);
    if (this.#intake.isFull) for (const link of this.#all) link.pause();
  }

  #routeOf(topic: string): BridgeRoute {
    let route = this.#routes.get(topic);
    if (route === undefined) {
      if (this.#routes.size >= ROUTES_MAX) this.#routes.clear();
      route = this.#options.route(topic);
      this.#routes.set(topic, route);
    }
    return route;
  }

  #problem(): string | null {
    const away = this.#links.find(({ problem }) => problem !== null);
    if (away !== undefined) return `external broker ${this.#address}: ${away.problem}`;
    return this.#intake.problem;
  }

  /** Without user name and password. */
  get #address(): string {
    const { protocol, host } = new URL(this.#options.url);
    return `${protocol}//${host}`;
  }

  #registerGauges(): void {
    const { metrics } = this.#options;
    metrics.gauge('bridge_connected', 'Connections to the external broker that are subscribed', [], (gauge) =>
      gauge.set(this.#links.filter(({ problem }) => problem === null).length),
    );
    metrics.gauge('bridge_pending_bytes', 'Bytes of the external broker that wait for the log', [], (gauge) =>
      gauge.set(this.#intake.pendingBytes),
    );
  }
}
