/** Line 29: what one packet can make the broker hold: a length that is only claimed, 100,000 properties, all but the last byte. */
import { DEFAULT_LIMITS } from '../packages/broker/src/options.ts';
import { HexClient, startBroker, type TestBroker, text, until } from '../packages/broker/src/testing/harness.ts';
import { packet, properties, variable } from '../packages/broker/src/vectors/bytes.ts';
import { liveBytes, liveBytesNow } from '../tests/fuzz/live-memory.ts';
import type { ScorecardLine } from './line.ts';

/** What the broker tells MQTT 5 clients in CONNACK. */
const ADVERTISED = DEFAULT_LIMITS.packetBytesMax;
/** A socket is read in pieces of this size. */
const READ_BYTES = 65_536;
const CONNECTIONS = 100;
const TOPIC = text('app/x');

export const packetMemory: ScorecardLine = {
  number: 29,
  what: 'memory a packet',
  must: `growth at most the advertised maximum of ${ADVERTISED} bytes and one read of the socket; too large: 0x95`,
  async run(_, say) {
    const findings: string[] = [];
    const growths: number[] = [];
    for (const [name, measure] of CASES) {
      const { growth, finding } = await measure();
      growths.push(growth);
      say(`${name}: ${(growth / 1024).toFixed(0)} KiB`);
      if (finding !== null) findings.push(`${name}: ${finding}`);
      if (growth > ADVERTISED + READ_BYTES) findings.push(`${name}: ${growth} bytes more`);
    }
    return {
      passed: findings.length === 0,
      figure: `at most ${(Math.max(...growths) / 1024).toFixed(0)} KiB more for one packet; advertised ${ADVERTISED / 1024} KiB`,
      findings,
    };
  },
};

interface Measured {
  /** Bytes a packet. */
  readonly growth: number;
  readonly finding: string | null;
}

const CASES: readonly [name: string, measure: () => Promise<Measured>][] = [
  ['a length of 268,435,455 is claimed', claimedLength],
  ['a length of 268,435,455 is claimed before CONNECT', claimedBeforeConnect],
  ['the largest packet, but for its last byte', allButTheLastByte],
  ['100,000 properties, while they are read', manyProperties],
];

async function claimedLength(): Promise<Measured> {
  const broker = await startBroker();
  const clients = await connected(broker, CONNECTIONS);
  const before = await liveBytes();
  const bytes = Buffer.concat([Buffer.from('30ffffff7f', 'hex'), Buffer.alloc(1000)]);
  for (const client of clients) client.socket.write(bytes);
  await Promise.all(clients.map((client) => client.closed()));
  const growth = ((await liveBytes()) - before) / CONNECTIONS;
  const answers = new Set(clients.map(({ hex }) => hex.slice(4, 6)));
  await broker.broker.stop();
  return { growth, finding: [...answers].join() === '95' ? null : `answered ${[...answers]}` };
}

async function claimedBeforeConnect(): Promise<Measured> {
  const broker = await startBroker();
  const before = await liveBytes();
  const clients = Array.from({ length: CONNECTIONS }, () => new HexClient(broker.port));
  for (const client of clients) client.send(`10ffffff7f${text('MQTT')}`);
  await Promise.all(clients.map((client) => client.closed()));
  const growth = ((await liveBytes()) - before) / CONNECTIONS;
  await broker.broker.stop();
  return { growth, finding: clients.some(({ hex }) => hex !== '') ? 'somebody was answered' : null };
}

async function allButTheLastByte(): Promise<Measured> {
  const broker = await startBroker();
  const [client, other] = await connected(broker, 2);
  const bytes = Buffer.alloc(ADVERTISED);
  bytes.write(`30${variable(ADVERTISED - 4)}${TOPIC}00`, 'hex');
  const before = await liveBytes();
  client!.socket.write(bytes.subarray(0, -1));
  await roundTrips(other!, 100);
  const growth = (await liveBytes()) - before;
  client!.socket.write(bytes.subarray(-1));
  await until(() => broker.broker.statistics().messagesReceived === 1, 'the message is taken');
  for (const one of [client, other]) one!.socket.destroy();
  await broker.broker.stop();
  return { growth, finding: null };
}

async function manyProperties(): Promise<Measured> {
  let during = 0;
  const broker = await startBroker({
    route: () => {
      during = liveBytesNow();
      return { to: 'clients' };
    },
  });
  const [client] = await connected(broker, 1);
  const bytes = Buffer.from(packet('30', TOPIC, properties('26 0000 0000'.repeat(100_000))), 'hex');
  const before = await liveBytes();
  client!.socket.write(bytes);
  await until(() => during > 0, 'the message is taken');
  client!.socket.destroy();
  await broker.broker.stop();
  return { growth: during - before, finding: null };
}

/** In each of them the broker reads every socket that has something. */
async function roundTrips(client: HexClient, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    client.received = Buffer.alloc(0);
    client.send('c000');
    await until(() => client.hex === 'd000', 'PINGRESP');
  }
}

async function connected(broker: TestBroker, count: number): Promise<HexClient[]> {
  const clients = Array.from({ length: count }, () => new HexClient(broker.port));
  await Promise.all(clients.map((client, index) => client.open(5, `hostile-${index}`)));
  return clients;
}
