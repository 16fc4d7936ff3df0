/**
 * Everything that a server acknowledges, asked of it all the time by stock clients who note when each acknowledgement came:
 * samples over MQTT at QoS 1 and 2 and over HTTP, devices that are made, messages for a subscriber who is away. Later, on a
 * server that was started on what a power cut has left, each that came before the cut must be there, samples once.
 */
import mqtt, { type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../api-session.ts';
import type { RunningServer } from '../server-process.ts';

/** What was acknowledged, by number, and when (wall clock, ms). */
type Acknowledged = Map<number, number>;

interface Stream {
  readonly name: string;
  readonly device: DeviceCredentials;
  readonly acknowledged: Acknowledged;
}

export interface Loss {
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  readonly findings: readonly string[];
}

const STEP_MS = 7;
const METRIC = 'n';
const SUBSCRIBER = 'away';

export class AcknowledgedWork {
  readonly #startMs = Date.now() - 3_600_000;
  readonly #streams: Stream[] = [];
  readonly #devices: { readonly id: string; readonly atMs: number }[] = [];
  readonly #notes: Acknowledged = new Map();
  readonly #clients: MqttClient[] = [];
  readonly #loops: Promise<void>[] = [];
  #subscriber!: DeviceCredentials;
  #subscribedAtMs = Number.POSITIVE_INFINITY;
  #isRunning = true;

  /** Resolves when all of it is under way. */
  static async begin(server: RunningServer): Promise<AcknowledgedWork> {
    const work = new AcknowledgedWork();
    const api = await ApiSession.signIn(server.url);
    const devices = await api.createDevices(6, 'cut-');
    const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'cut', scopes: ['ingest'] });
    work.#subscriber = devices[5]!;
    await work.#subscribe(server);
    for (const [index, qos] of [1, 1, 2, 2].entries()) work.#publishOverMqtt(server, devices[index]!, qos as 1 | 2);
    work.#loops.push(work.#postOverHttp(server, devices[4]!, key), work.#makeDevices(api));
    work.#publishNotes(server, devices[0]!);
    await eventually('acknowledgements of every kind', () => (work.#hasAll() ? true : null), 60_000);
    return work;
  }

  /** Ends it; the server may be gone already. */
  async end(): Promise<void> {
    this.#isRunning = false;
    for (const client of this.#clients) client.end(true);
    await Promise.all(this.#loops);
  }

  /** Compares with a server that was started on what was left at `cutMs`. */
  async compare(server: RunningServer, cutMs: number): Promise<Loss> {
    const api = await ApiSession.signIn(server.url);
    const sum = { acknowledged: 0, lost: 0, doubled: 0, findings: [] as string[] };
    for (const stream of this.#streams) await this.#compareSamples(api, stream, cutMs, sum);
    for (const { id } of this.#devices.filter(({ atMs }) => atMs < cutMs)) {
      sum.acknowledged += 1;
      const { status } = await api.raw('GET', `devices/${id}`);
      if (status !== 200) miss(sum, `device ${id} was made and is not there`);
    }
    if (this.#subscribedAtMs < cutMs) await this.#compareNotes(server, cutMs, sum);
    return sum;
  }

  #hasAll(): boolean {
    const counts = [
      ...this.#streams.map(({ acknowledged }) => acknowledged.size),
      this.#devices.length,
      this.#notes.size,
    ];
    return counts.every((count) => count > 0);
  }

  #connect(server: RunningServer, device: DeviceCredentials, clientId: string): MqttClient {
    const client = mqtt.connect({
      ...server.mqtt,
      protocolVersion: 5,
      clientId,
      username: device.id,
      password: device.token,
      clean: false,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 3600 },
    });
    client.on('error', () => {}); // The server is cut off on purpose.
    return client;
  }

  async #subscribe(server: RunningServer): Promise<void> {
    const client = this.#connect(server, this.#subscriber, SUBSCRIBER);
    await client.subscribeAsync(`app/${this.#subscriber.organizationId}/notes`, { qos: 1 });
    this.#subscribedAtMs = Date.now() + 1;
    await client.endAsync();
  }

  #publishOverMqtt(server: RunningServer, device: DeviceCredentials, qos: 1 | 2): void {
    const acknowledged: Acknowledged = new Map();
    this.#streams.push({ name: `QoS ${qos}, ${device.key}`, device, acknowledged });
    const topic = `v1/telemetry/${device.organizationId}/${device.key}`;
    this.#publishOn(this.#connect(server, device, device.key), topic, qos, acknowledged, (number) =>
      this.#sample(number),
    );
  }

  #publishNotes(server: RunningServer, device: DeviceCredentials): void {
    const client = this.#connect(server, device, 'notes');
    this.#publishOn(client, `app/${device.organizationId}/notes`, 1, this.#notes, String);
  }

  /** A few messages under way at any time; each acknowledgement brings the next. */
  #publishOn(
    client: MqttClient,
    topic: string,
    qos: 1 | 2,
    acknowledged: Acknowledged,
    payloadOf: (number: number) => string,
  ): void {
    this.#clients.push(client);
    let next = 0;
    const publish = (): void => {
      const number = next++;
      client.publish(topic, payloadOf(number), { qos }, (error) => {
        if (error || !this.#isRunning) return;
        acknowledged.set(number, Date.now() + 1);
        setTimeout(publish, 2);
      });
    };
    client.once('connect', () => {
      for (let count = 0; count < 4; count++) publish();
    });
  }

  #sample(number: number): string {
    return JSON.stringify({ ts: this.#startMs + number * STEP_MS, metrics: { [METRIC]: number } });
  }

  async #postOverHttp(server: RunningServer, device: DeviceCredentials, key: string): Promise<void> {
    const acknowledged: Acknowledged = new Map();
    this.#streams.push({ name: `HTTP, ${device.key}`, device, acknowledged });
    for (let number = 0; this.#isRunning; number++) {
      const body = JSON.stringify({ deviceId: device.key, ...(JSON.parse(this.#sample(number)) as object) });
      const headers = { 'content-type': 'application/json', 'x-api-key': key };
      const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, { method: 'POST', headers, body }).catch(
        () => null, // The server is cut off on purpose.
      );
      if (answer?.status === 202) acknowledged.set(number, Date.now() + 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #makeDevices(api: ApiSession): Promise<void> {
    for (let number = 0; this.#isRunning; number++) {
      const made = await api.createDevice(`made-${number}`).catch(() => null); // The server is cut off on purpose.
      if (made !== null) this.#devices.push({ id: made.id, atMs: Date.now() + 1 });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #compareSamples(api: ApiSession, stream: Stream, cutMs: number, sum: Sum): Promise<void> {
    const due = [...stream.acknowledged].filter(([, atMs]) => atMs < cutMs).map(([number]) => number);
    sum.acknowledged += due.length;
    const end = this.#startMs + (due.length + 1000) * STEP_MS;
    let found: number[] = [];
    const missing = (): number[] => due.filter((number) => !found.includes(number));
    await eventually(
      'the samples',
      async () => {
        const samples = await api.samples(stream.device.id, METRIC, this.#startMs, end);
        found = samples.map(([, value]) => value);
        const seen = new Set(found);
        return due.every((number) => seen.has(number)) ? true : null;
      },
      20_000,
      200,
    ).catch(() => {
      for (const number of missing()) miss(sum, `${stream.name}: sample ${number} was acknowledged and is not there`);
    });
    sum.doubled += found.length - new Set(found).size;
  }

  /** The subscriber comes back, to its session, and gets what was acknowledged to the publisher. */
  async #compareNotes(server: RunningServer, cutMs: number, sum: Sum): Promise<void> {
    const due = [...this.#notes].filter(([, atMs]) => atMs < cutMs).map(([number]) => number);
    sum.acknowledged += due.length + 1;
    const client = this.#connect(server, this.#subscriber, SUBSCRIBER);
    const got = new Set<number>();
    client.on('message', (_, payload) => got.add(Number(payload.toString())));
    const isPresent = await new Promise<boolean>((resolve, reject) => {
      client.once('connect', ({ sessionPresent }) => resolve(sessionPresent));
      client.once('error', reject);
    });
    if (!isPresent) miss(sum, 'a subscription was acknowledged and its session is not there');
    await eventually('the messages', () => (due.every((number) => got.has(number)) ? true : null), 15_000).catch(() => {
      for (const number of due.filter((each) => !got.has(each)))
        miss(sum, `message ${number} was acknowledged and does not come`);
    });
    await client.endAsync(true);
  }
}

interface Sum {
  acknowledged: number;
  lost: number;
  doubled: number;
  findings: string[];
}

const FINDINGS_MAX = 10;

function miss(sum: Sum, sentence: string): void {
  sum.lost += 1;
  if (sum.findings.length < FINDINGS_MAX) sum.findings.push(sentence);
}
