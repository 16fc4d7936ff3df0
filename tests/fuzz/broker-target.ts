/**
 * The whole broker as a target, over real sockets, beside a well-behaved client that publishes with every QoS and must get
 * each of its messages back, in order.
 */
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import type { Logger } from '@fieldline/kit';
import type { MqttClient } from 'mqtt';
import {
  connectClient,
  HexClient,
  packetHex,
  startBroker,
  type TestBroker,
  text,
} from '../../packages/broker/src/testing/harness.ts';
import { PACKET_SEEDS, repairPacket } from './decoder-targets.ts';
import type { FuzzTarget } from './fuzz.ts';

/** Small, so that hostile inputs run into them. */
const LIMITS = {
  closeTimeoutMs: 500,
  packetBytesMax: 2_048,
  sessionsMax: 100,
  retainedBytesMax: 100_000,
  queueBytesPerSessionMax: 50_000,
  subscriptionsPerSessionMax: 20,
};

export class FuzzedBroker {
  readonly #test: TestBroker;
  readonly #good: MqttClient;
  readonly #topic: string;
  /** What the broker called a bug of its own. */
  readonly bugs: string[];
  #sent = 0;
  #received = 0;
  #misplaced = 0;

  private constructor(test: TestBroker, good: MqttClient, topic: string, bugs: string[]) {
    this.#test = test;
    this.#good = good;
    this.#topic = topic;
    this.bugs = bugs;
    good.on('message', (from, payload) => {
      if (from !== topic) return;
      this.#received += 1;
      if (Number(payload.toString()) !== this.#received) this.#misplaced += 1;
    });
  }

  static async start(): Promise<FuzzedBroker> {
    const bugs: string[] = [];
    const logger: Logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (fields, message) => bugs.push(`${message}: ${JSON.stringify(fields)}`),
      child: () => logger,
    };
    const test = await startBroker({ logger, limits: LIMITS, appendToLog: async () => {} });
    const name = `good-${randomUUID()}`;
    const good = await connectClient(test, name);
    if (good.stream instanceof Socket) good.stream.setNoDelay(true);
    const topic = `app/${name}`;
    await good.subscribeAsync(topic, { qos: 1 });
    return new FuzzedBroker(test, good, topic, bugs);
  }

  get port(): number {
    return this.#test.port;
  }

  /** Messages of the well-behaved client: sent, and not come back in their order. */
  async account(): Promise<{ sent: number; lost: number }> {
    const endMs = performance.now() + 10_000;
    while (this.#received < this.#sent && performance.now() < endMs) await this.ping();
    return { sent: this.#sent, lost: this.#sent - this.#received + this.#misplaced };
  }

  /** A message of the well-behaved client; resolves when it is acknowledged. */
  async speak(): Promise<void> {
    this.#sent += 1;
    await this.#good.publishAsync(this.#topic, `${this.#sent}`, { qos: 1 });
  }

  async ping(): Promise<void> {
    await this.#good.publishAsync('app/round-trip', '', { qos: 1 });
  }

  async stop(): Promise<void> {
    this.#good.end(true);
    await this.#test.broker.stop();
  }

  get statistics(): ReturnType<TestBroker['broker']['statistics']> {
    return this.#test.broker.statistics();
  }
}

const LOGIN = `${text('vector')} ${text('secret')}`;

/** The first byte of an input chooses what stands before it: nothing, or a CONNECT of either version. */
function prologue(choice: number): string {
  if (choice % 4 === 0) return '';
  const rest =
    choice % 4 === 1 ? `04 c2 0000 ${text(`fuzz-${choice}`)}` : `05 c2 0000 05 11 00000001 ${text(`fuzz-${choice}`)}`;
  return packetHex('10', `00044d515454 ${rest} ${LOGIN}`);
}

export function brokerTarget(broker: FuzzedBroker): FuzzTarget {
  let runs = 0;
  return {
    name: 'broker',
    watched: /\/broker\/src\//,
    seeds: PACKET_SEEDS.map((seed, index) => Buffer.concat([Buffer.from([index % 16]), seed])),
    inputBytesMax: 600,
    batchSize: 16,
    repair: (input) => Buffer.concat([input.subarray(0, 1), repairPacket(input.subarray(1))]),
    async run(input) {
      const client = new HexClient(broker.port);
      client.send(prologue(input[0] ?? 0));
      client.socket.end(input.subarray(1));
      runs += 1;
      if (runs % 8 === 0) await broker.speak();
      await client.closed();
    },
  };
}
