/** Every packet of the tables over a socket to a broker, beside a client that must not notice anything. */
import { Socket } from 'node:net';
import type { Logger } from '@fieldline/kit';
import type { MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectClient, startBroker, type TestBroker } from '../testing/harness.ts';
import { ALL_VECTORS } from './index.ts';
import { runVector } from './run-vector.ts';
import type { PacketVector } from './vector.ts';

let broker: TestBroker;
let neighbour: MqttClient;
const received: number[] = [];
const bugs: string[] = [];

const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields, message) => bugs.push(`${message}: ${JSON.stringify(fields)}`),
  child: () => logger,
};

beforeAll(async () => {
  broker = await startBroker({ logger });
  neighbour = await connectClient(broker, 'dev-1');
  if (neighbour.stream instanceof Socket) neighbour.stream.setNoDelay(true);
  neighbour.on('message', (_, payload) => {
    received.push(Number(payload.toString()));
    arrived();
  });
  await neighbour.subscribeAsync('app/neighbour', { qos: 2 });
});

afterAll(async () => {
  neighbour.end(true);
  await broker.broker.stop();
});

let rounds = 0;
let arrived = (): void => {};

/** The neighbour sends itself a message and has it. */
async function expectNeighbourServed(): Promise<void> {
  rounds += 1;
  const back = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  await neighbour.publishAsync('app/neighbour', `${rounds}`, { qos: (rounds % 3) as 0 | 1 | 2 });
  await back;
}

const byName = Object.groupBy(ALL_VECTORS, ({ name, version }) => `${name.split(/[: ]/)[0]}, version ${version}`);

describe('what is sent is answered as the specification says', () => {
  test.each(Object.entries(byName) as [string, PacketVector[]][])('%s', async (_, vectors) => {
    const findings: string[] = [];
    for (const vector of vectors) {
      const finding = await runVector(broker.port, vector);
      if (finding !== null) findings.push(finding);
      await expectNeighbourServed();
    }
    expect(findings).toEqual([]);
  });

  test('and nobody else noticed', () => {
    expect(received).toEqual(Array.from({ length: ALL_VECTORS.length }, (_, index) => index + 1));
    expect(broker.broker.health()).toMatchObject({ ready: true });
    expect(bugs).toEqual([]);
  });
});

test('no vector stands twice', () => {
  const titles = ALL_VECTORS.map(({ clause, name, version, bytes }) => `${clause} ${name} ${version} ${bytes}`);
  expect(titles.length).toBe(new Set(titles).size);
});
