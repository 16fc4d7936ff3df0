/**
 * The ledger: stock MQTT clients publish numbered samples and write down each acknowledgement, while the server is killed
 * with SIGKILL at random moments and started again. At the end every acknowledged sample must be readable through REST
 * exactly once, with its value and time; samples that were never acknowledged may be there, at most once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from './api-session.ts';
import { type RunningServer, startServer } from './server-process.ts';

export interface LedgerOptions {
  readonly dataDir: string;
  readonly kills: number;
  readonly clients: number;
  /** Messages under way per client. */
  readonly window: number;
  readonly samplesPerMessage: number;
  /** Goes on until so many samples are acknowledged, even when the kills are done. */
  readonly samplesMin: number;
  readonly qos: 1 | 2;
  readonly seed: number;
  /** Server settings, e.g. to seal all the time. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
}

export interface LedgerResult {
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  /** Samples that are readable although their acknowledgement never arrived. */
  readonly unacknowledged: number;
  readonly recoveriesMs: readonly number[];
  /** What was found amiss first, for a person. */
  readonly findings: readonly string[];
}

/** Mulberry32: small, seeded, good enough to choose moments. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sample number n of a client has this value and time: both tell the number. */
const STEP_MS = 7;
const numbered = (client: number, sample: number): number => client * 1e9 + sample + 0.25;

class LedgerClient {
  readonly device: DeviceCredentials;
  /** Sample numbers whose message was acknowledged. */
  readonly acknowledged: Uint8Array[] = [];
  acknowledgedCount = 0;
  sent = 0;
  #client: MqttClient;
  readonly #index: number;
  readonly #options: LedgerOptions;
  readonly #startMs: number;
  #inFlight = 0;
  #running = true;
  #onIdle: (() => void) | null = null;

  constructor(
    index: number,
    device: DeviceCredentials,
    options: LedgerOptions,
    server: RunningServer,
    startMs: number,
  ) {
    this.#index = index;
    this.device = device;
    this.#options = options;
    this.#startMs = startMs;
    this.#client = mqtt.connect({
      host: server.mqtt.host,
      port: server.mqtt.port,
      protocolVersion: index % 2 === 0 ? 5 : 4,
      clientId: `ledger-${index}`,
      username: device.id,
      password: device.token,
      clean: false,
      reconnectPeriod: 100,
      connectTimeout: 5_000,
      properties: index % 2 === 0 ? { sessionExpiryInterval: 3600 } : {},
    });
    this.#client.on('error', () => {}); // The server is killed on purpose; the client reconnects.
    this.#client.once('connect', () => this.#fill());
  }

  /** Stops publishing and resolves when everything under way is acknowledged. */
  async finish(): Promise<void> {
    this.#running = false;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#client.endAsync(true);
  }

  #fill(): void {
    while (this.#running && this.#inFlight < this.#options.window) this.#publish();
  }

  #publish(): void {
    const { samplesPerMessage, qos } = this.#options;
    const first = this.sent;
    this.sent += samplesPerMessage;
    this.#inFlight += 1;
    const messages = Array.from({ length: samplesPerMessage }, (_, offset) => ({
      ts: this.#startMs + (first + offset) * STEP_MS,
      metrics: { n: numbered(this.#index, first + offset) },
    }));
    const topic = `v1/telemetry/${this.device.organizationId}/${this.device.key}`;
    this.#client.publish(topic, JSON.stringify(messages), { qos }, (error) => {
      this.#inFlight -= 1;
      const isAcknowledged = error === undefined || error === null;
      if (isAcknowledged) this.#note(first, samplesPerMessage);
      if (!this.#running) {
        if (this.#inFlight === 0) this.#onIdle?.();
      } else if (isAcknowledged) this.#fill();
      // What is published from within a failure joins the queue that mqtt.js is just failing, and fails again, for ever.
      else setImmediate(() => this.#fill());
    });
  }

  #note(first: number, count: number): void {
    for (let sample = first; sample < first + count; sample++) {
      const block = Math.floor(sample / 65_536);
      this.acknowledged[block] ??= new Uint8Array(65_536);
      this.acknowledged[block][sample % 65_536] = 1;
    }
    this.acknowledgedCount += count;
  }
}

/** Runs the whole proof and returns what was found. */
export async function runLedger(options: LedgerOptions): Promise<LedgerResult> {
  const say = options.say ?? (() => {});
  const chance = random(options.seed);
  say(`seed ${options.seed}`);
  // The clients keep one address, so the ports are fixed from the first start on.
  let server = await startServer({ dataDir: options.dataDir, environment: options.environment });
  const environment = {
    ...options.environment,
    FIELDLINE_BROKER_PORT: String(server.mqtt.port),
    FIELDLINE_API_PORT: new URL(server.url).port,
  };
  const startMs = Date.now() - 86_400_000;
  const devices = await (await ApiSession.signIn(server.url)).createDevices(options.clients, 'ledger-');
  const clients = devices.map((device, index) => new LedgerClient(index, device, options, server, startMs));
  const acknowledged = (): number => clients.reduce((sum, client) => sum + client.acknowledgedCount, 0);
  const recoveriesMs: number[] = [];
  for (let kill = 1; kill <= options.kills; kill++) {
    const before = acknowledged();
    await eventually('acknowledgements', () => (acknowledged() > before ? true : null), 60_000);
    await sleep(100 + chance() * 1500);
    await server.kill();
    const started = performance.now();
    server = await startServer({ dataDir: options.dataDir, environment });
    recoveriesMs.push(performance.now() - started);
    say(
      `kill ${kill}: ready again after ${recoveriesMs.at(-1)!.toFixed(0)} ms, ${acknowledged()} samples acknowledged`,
    );
  }
  await eventually('enough samples', () => (acknowledged() >= options.samplesMin ? true : null), 600_000);
  await Promise.all(clients.map((client) => client.finish()));
  const result = await compare(server, clients, startMs, options.kills, recoveriesMs);
  await server.stop();
  return result;
}

async function compare(
  server: RunningServer,
  clients: readonly LedgerClient[],
  startMs: number,
  kills: number,
  recoveriesMs: readonly number[],
): Promise<LedgerResult> {
  const api = await ApiSession.signIn(server.url);
  await eventually(
    'the pipeline to catch up',
    async () => {
      const health = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
      return health.lag.records === 0 ? true : null;
    },
    120_000,
  );
  const totals = { acknowledged: 0, lost: 0, doubled: 0, wrong: 0, unacknowledged: 0 };
  const findings: string[] = [];
  const find = (sentence: string): void => {
    if (findings.length < 20) findings.push(sentence);
  };
  for (const [index, client] of clients.entries()) {
    const samples = await api.samples(client.device.id, 'n', startMs, startMs + (client.sent + 1) * STEP_MS);
    const seen = new Set<number>();
    for (const [timeMs, value] of samples) {
      const sample = (timeMs - startMs) / STEP_MS;
      if (value !== numbered(index, sample)) {
        totals.wrong += 1;
        find(`client ${index}: value ${value} at sample ${sample}`);
      } else if (seen.has(sample)) {
        totals.doubled += 1;
        find(`client ${index}: sample ${sample} twice`);
      } else if (client.acknowledged[Math.floor(sample / 65_536)]?.[sample % 65_536] !== 1) totals.unacknowledged += 1;
      seen.add(sample);
    }
    for (let sample = 0; sample < client.sent; sample++) {
      if (client.acknowledged[Math.floor(sample / 65_536)]?.[sample % 65_536] !== 1) continue;
      totals.acknowledged += 1;
      if (!seen.has(sample)) {
        totals.lost += 1;
        find(`client ${index}: sample ${sample} was acknowledged and is not there`);
      }
    }
  }
  return { kills, ...totals, recoveriesMs, findings };
}
