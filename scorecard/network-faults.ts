/**
 * Line 18: a network that loses packets, is thin, goes silent and resets connections, between stock MQTT clients and the real
 * server; and clients that never finish their CONNECT. Every acknowledged sample is asked for at the end.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../tests/support/api-session.ts';
import { FaultyProxy } from '../tests/support/faulty-proxy.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Form, ScorecardLine } from './line.ts';

const CLIENTS = 20;
const HALF_OPEN = 50;
const HALF_OPEN_MS_MAX = 10_000;
const MESSAGES_PER_SECOND = 50;
const MEGABIT_BYTES = 125_000;

class Publisher {
  readonly device: DeviceCredentials;
  readonly #client: MqttClient;
  readonly #startMs = Date.now() - 3_600_000;
  readonly acknowledged: number[] = [];
  sent = 0;
  /** The client library gave them up while it sent again over a connection that broke: not acknowledged, so not promised. */
  failed = 0;
  #running = true;
  readonly #work: Promise<void>;

  constructor(device: DeviceCredentials, address: { host: string; port: number }) {
    this.device = device;
    this.#client = mqtt.connect({
      ...address,
      protocolVersion: 5,
      clientId: device.key,
      username: device.id,
      password: device.token,
      keepalive: 2,
      reconnectPeriod: 200,
      connectTimeout: 3_000,
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    });
    this.#client.on('error', () => {}); // It comes back by itself.
    this.#work = this.#publish();
  }

  /** Sends on until stop(); a message that is not acknowledged is sent again by the client when it is back. */
  async #publish(): Promise<void> {
    const topic = `v1/telemetry/${this.device.organizationId}/${this.device.id}`;
    while (this.#running) {
      const number = this.sent;
      this.sent += 1;
      const payload = JSON.stringify({ ts: this.#startMs + number, metrics: { number } });
      this.#client.publish(topic, payload, { qos: 1 }, (error) => {
        if (error === undefined || error === null) this.acknowledged.push(number);
        else this.failed += 1;
      });
      while (this.#running && this.#openCount > 500) await sleep(20);
      await sleep(1000 / MESSAGES_PER_SECOND);
    }
  }

  get #openCount(): number {
    return this.sent - this.acknowledged.length - this.failed;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#work;
    await eventually('the last acknowledgements', () => (this.#openCount === 0 ? true : null), 60_000);
    await this.#client.endAsync(true);
  }

  /** Numbers that were acknowledged and are not there, or are there twice. */
  async compare(api: ApiSession): Promise<{ lost: number; doubled: number }> {
    const samples = await api.samples(this.device.id, 'number', this.#startMs - 1, this.#startMs + this.sent + 1);
    const seen = new Map<number, number>();
    for (const [, value] of samples) seen.set(value, (seen.get(value) ?? 0) + 1);
    return {
      lost: this.acknowledged.filter((number) => !seen.has(number)).length,
      doubled: [...seen.values()].filter((count) => count > 1).length,
    };
  }
}

/** The faults, one after the other. */
async function makeTrouble(proxy: FaultyProxy, form: Form, say: (line: string) => void): Promise<void> {
  const seconds = form === 'long' ? 120 : 8;
  say('5 % of the pieces are lost and sent again');
  proxy.faults.lossShare = 0.05;
  await sleep(seconds * 1000);
  proxy.heal();
  say('a line of 1 Mbit/s');
  proxy.faults.bytesPerSecond = MEGABIT_BYTES;
  await sleep(seconds * 1000);
  proxy.heal();
  say('silence with the connections open');
  proxy.faults.silent = true;
  await sleep(seconds * 1000);
  proxy.resetAll();
  proxy.heal();
  say('resets');
  for (let storm = 0; storm < seconds; storm++) {
    await sleep(1000);
    proxy.resetAll();
  }
}

/** Opens connections that never finish their CONNECT, half of them dripping; how long the last one stayed open, in ms. */
async function halfOpen(address: { host: string; port: number }): Promise<number> {
  const started = performance.now();
  const sockets: Socket[] = [];
  const closed = Array.from({ length: HALF_OPEN }, (_, index) => {
    const socket = connect(address);
    sockets.push(socket);
    socket.resume();
    socket.on('error', () => {}); // A reset closes it, too.
    socket.write(Buffer.from('10400004', 'hex'));
    const drip = index % 2 === 0 ? setInterval(() => socket.write('M'), 500) : undefined;
    return new Promise<void>((resolve) => {
      const finish = (): void => {
        clearInterval(drip);
        resolve();
      };
      socket.once('end', finish);
      socket.once('close', finish);
    });
  });
  await Promise.race([Promise.all(closed), sleep(3 * HALF_OPEN_MS_MAX)]);
  for (const socket of sockets) socket.destroy();
  return performance.now() - started;
}

export const networkFaults: ScorecardLine = {
  number: 18,
  what: 'network faults',
  must: `0 acknowledged lost; a CONNECT that does not end is closed within ${HALF_OPEN_MS_MAX / 1000} s`,
  async run(form, say) {
    const folder = temporaryFolder('network-faults');
    const server = await startServer({ dataDir: folder.path });
    const proxy = await FaultyProxy.start(server.mqtt);
    try {
      const api = await ApiSession.signIn(server.url);
      const devices = await api.createDevices(CLIENTS, 'line-');
      const publishers = devices.map((device) => new Publisher(device, proxy.address));
      const [halfOpenMs] = await Promise.all([halfOpen(server.mqtt), makeTrouble(proxy, form, say)]);
      proxy.heal();
      await Promise.all(publishers.map((publisher) => publisher.stop()));
      await eventually('the pipeline to catch up', async () => {
        const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
        return lag.records === 0 ? true : null;
      });
      const totals = { acknowledged: 0, lost: 0, doubled: 0 };
      for (const publisher of publishers) {
        const { lost, doubled } = await publisher.compare(api);
        totals.acknowledged += publisher.acknowledged.length;
        totals.lost += lost;
        totals.doubled += doubled;
      }
      return {
        passed: totals.lost + totals.doubled === 0 && halfOpenMs <= HALF_OPEN_MS_MAX,
        figure: `${totals.lost} lost, ${totals.doubled} doubled of ${totals.acknowledged.toLocaleString('en-US')}; half-open CONNECTs closed after ${(halfOpenMs / 1000).toFixed(1)} s at most`,
      };
    } finally {
      await proxy.close();
      await server.stop();
      folder.remove();
    }
  },
};
