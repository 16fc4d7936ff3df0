/**
 * Many connections, subscriptions and retained topics: what one costs and how fast they come, ours beside Mosquitto and Aedes
 * with the same load in one run. Memory is the resident memory of the broker's process, so TLS and libraries are in it.
 */
import { readFileSync } from 'node:fs';
import { temporaryFolder } from '../tests/support/server-process.ts';
import { type Certificate, CONTENDERS, type Contender, makeCertificate, type RunningBroker } from './contenders.ts';
import { type CrowdClient, CrowdLead } from './crowd-lead.ts';
import { publishQos0, publishRetained, subscribePacket } from './crowd-packets.ts';
import type { Bench, BenchOptions, BenchResult, Figure } from './figures.ts';

const CONNECTIONS = 10_000;
/** Connected before the first look at the memory, so that what is made once is not counted. */
const WARM_UP = 100;
const CONCURRENCY = 100;
const TOPICS = 100_000;
const TOPIC_CLIENTS = 100;
const FAN_OUT_CLIENTS = 1_000;
const FAN_OUT_MESSAGES = 100;
const PAYLOAD = 'x'.repeat(100);
const LIMIT_MS = 120_000;

async function run(options: BenchOptions): Promise<BenchResult> {
  const folder = temporaryFolder('bench');
  const figures: Figure[] = [];
  const notes: string[] = [];
  try {
    const certificate = makeCertificate(folder.path);
    for (const contender of CONTENDERS) {
      const missing = await measure(contender, certificate, options, figures);
      if (missing) notes.push(`${contender.name} is not installed: skipped`);
    }
  } finally {
    folder.remove();
  }
  notes.push(
    `${connectionCount()} connections of MQTT 3.1.1, ${CONCURRENCY} opened at a time, generator on the same cores`,
  );
  return { figures, notes };
}

/** Adds the figures of one broker; true where it is not there. */
async function measure(
  contender: Contender,
  certificate: Certificate,
  { seconds }: BenchOptions,
  figures: Figure[],
): Promise<boolean> {
  const parts = [
    (broker: RunningBroker) => crowded(broker, certificate, 'plain', seconds),
    (broker: RunningBroker) => crowded(broker, certificate, 'TLS', seconds),
    (broker: RunningBroker) => crowded(broker, certificate, 'WebSocket', seconds),
    manyTopics,
    fanOut,
  ];
  for (const part of parts) {
    const broker = await contender.start(certificate);
    if (broker === null) return true;
    try {
      for (const figure of await part(broker)) {
        const { must, aim, ...compared } = figure;
        const ours = contender === CONTENDERS[0];
        figures.push({ ...(ours ? figure : compared), name: `${contender.name}: ${figure.name}` });
      }
    } finally {
      await broker.stop();
    }
  }
  return false;
}

/** Descriptors bound it: generator and broker are processes of their own, each needs one a connection. */
function connectionCount(): number {
  const hard = Number(
    /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? CONNECTIONS * 2,
  );
  return Math.min(CONNECTIONS, hard - 500);
}

function clients(first: number, count: number): CrowdClient[] {
  return Array.from({ length: count }, (_, index) => ({
    clientId: `crowd-${first + index}`,
    topic: `v1/telemetry/bench/crowd-${first + index}`,
  }));
}

async function crowded(
  broker: RunningBroker,
  { pem }: Certificate,
  kind: 'plain' | 'TLS' | 'WebSocket',
  seconds: number,
): Promise<Figure[]> {
  const crowd = new CrowdLead();
  const count = connectionCount();
  const open = (from: number, many: number) =>
    crowd.perform({
      kind: 'open',
      host: '127.0.0.1',
      port: { plain: broker.port, TLS: broker.tlsPort, WebSocket: broker.wsPort }[kind],
      ...(kind === 'TLS' && { ca: pem }),
      ...(kind === 'WebSocket' && { webSocket: true }),
      clients: clients(from, many),
      concurrency: CONCURRENCY,
      keepAliveS: 600,
      limitMs: LIMIT_MS,
    });
  try {
    await open(0, WARM_UP);
    const beforeKb = broker.residentKb();
    const opened = await open(WARM_UP, count);
    const idleKb = (broker.residentKb() - beforeKb) / count;
    const load = await crowd.perform({
      kind: 'publish',
      messagesPerSecond: count,
      seconds: Math.min(seconds, 30),
      payload: PAYLOAD,
      limitMs: LIMIT_MS,
    });
    const busyKb = (broker.residentKb() - beforeKb) / count;
    const bounded = kind === 'WebSocket' ? {} : { must: kind === 'TLS' ? 60 : 15 };
    return [
      {
        name: `${kind}, accepted a second`,
        value: (count / opened.milliseconds) * 1000,
        unit: '/s',
        better: 'more',
        ...(kind === 'plain' && { must: 2_000 }),
      },
      {
        name: `${kind}, refused or closed`,
        value: WARM_UP + count - opened.count + load.closed,
        unit: '',
        better: 'less',
        must: 0,
      },
      { name: `${kind}, memory a connection, idle`, value: idleKb, unit: 'KB', better: 'less', ...bounded },
      { name: `${kind}, memory a connection, at 1 msg/s each`, value: busyKb, unit: 'KB', better: 'less', ...bounded },
      { name: `${kind}, publish → PUBACK at 1 msg/s each, p99`, value: load.p99Ms, unit: 'ms', better: 'less' },
    ];
  } finally {
    await crowd.end();
  }
}

/** 100,000 subscriptions, then 100,000 retained topics, then one subscriber to all of them. */
async function manyTopics(broker: RunningBroker): Promise<Figure[]> {
  const crowd = new CrowdLead();
  const each = TOPICS / TOPIC_CLIENTS;
  const forAll = (packet: (client: number, index: number) => Buffer) =>
    Array.from({ length: TOPIC_CLIENTS }, (_, client) => ({
      client,
      packets: Array.from({ length: each }, (_, index) => packet(client, index).toString('base64')),
    }));
  try {
    await openLocal(crowd, broker, 0, TOPIC_CLIENTS + 1);
    const emptyKb = broker.residentKb();
    const subscribed = await crowd.perform({
      kind: 'send',
      packets: forAll((client, index) => subscribePacket(index + 1, `app/s/${client}/${index}/set`, 1)),
      answerType: 9,
      answers: TOPICS,
      limitMs: LIMIT_MS,
    });
    const subscribedKb = broker.residentKb();
    const retained = await crowd.perform({
      kind: 'send',
      packets: forAll((client, index) => publishRetained(index + 1, `app/r/${client}/${index}/state`, PAYLOAD)),
      answerType: 4,
      answers: TOPICS,
      limitMs: LIMIT_MS,
    });
    const retainedKb = broker.residentKb();
    const read = await crowd.perform({
      kind: 'send',
      packets: [{ client: TOPIC_CLIENTS, packets: [subscribePacket(1, 'app/r/#', 0).toString('base64')] }],
      answerType: 3,
      answers: TOPICS,
      limitMs: 20_000,
    });
    return [
      {
        name: '100,000 subscriptions, made a second',
        value: perSecond(TOPICS, subscribed),
        unit: '/s',
        better: 'more',
      },
      {
        name: '100,000 subscriptions, memory each',
        value: ((subscribedKb - emptyKb) / TOPICS) * 1024,
        unit: 'B',
        better: 'less',
      },
      { name: '100,000 retained topics, set a second', value: perSecond(TOPICS, retained), unit: '/s', better: 'more' },
      {
        name: '100,000 retained topics, memory each',
        value: ((retainedKb - subscribedKb) / TOPICS) * 1024,
        unit: 'B',
        better: 'less',
      },
      {
        name: '100,000 retained topics, not sent to a new subscriber',
        value: TOPICS - read.count,
        unit: '',
        better: 'less',
        must: 0,
      },
      {
        name: '100,000 retained topics, sent a second',
        value: perSecond(read.count, read),
        unit: '/s',
        better: 'more',
      },
    ];
  } finally {
    await crowd.end();
  }
}

/** One publisher, a wildcard, a thousand subscribers. */
async function fanOut(broker: RunningBroker): Promise<Figure[]> {
  const crowd = new CrowdLead();
  try {
    await openLocal(crowd, broker, 0, FAN_OUT_CLIENTS + 1);
    await crowd.perform({
      kind: 'send',
      packets: Array.from({ length: FAN_OUT_CLIENTS }, (_, client) => ({
        client,
        packets: [subscribePacket(1, 'app/f/+/alarm', 0).toString('base64')],
      })),
      answerType: 9,
      answers: FAN_OUT_CLIENTS,
      limitMs: LIMIT_MS,
    });
    const messages = Array.from({ length: FAN_OUT_MESSAGES }, (_, index) =>
      publishQos0(`app/f/${index}/alarm`, PAYLOAD).toString('base64'),
    );
    const answers = FAN_OUT_CLIENTS * FAN_OUT_MESSAGES;
    const sent = await crowd.perform({
      kind: 'send',
      packets: [{ client: FAN_OUT_CLIENTS, packets: messages }],
      answerType: 3,
      answers,
      limitMs: 20_000,
    });
    return [
      {
        name: 'fan-out to 1,000 by a wildcard, delivered a second',
        value: perSecond(sent.count, sent),
        unit: '/s',
        better: 'more',
      },
      {
        name: 'fan-out to 1,000 by a wildcard, not delivered',
        value: answers - sent.count,
        unit: '',
        better: 'less',
        must: 0,
      },
    ];
  } finally {
    await crowd.end();
  }
}

async function openLocal(crowd: CrowdLead, broker: RunningBroker, from: number, count: number): Promise<void> {
  await crowd.perform({
    kind: 'open',
    host: '127.0.0.1',
    port: broker.port,
    clients: clients(from, count),
    concurrency: CONCURRENCY,
    keepAliveS: 600,
    limitMs: LIMIT_MS,
  });
}

function perSecond(count: number, { milliseconds }: { milliseconds: number }): number {
  return (count / milliseconds) * 1000;
}

export const manyConnections: Bench = {
  name: 'connections',
  describes:
    'the broker alone: 10,000 connections (plain, TLS, WebSocket), 100,000 subscriptions and retained topics, beside Mosquitto and Aedes',
  run,
};
