/**
 * Line 17: hours at about half of the load that this machine bears, with faults all the time: storms of connections, malformed
 * packets, bad payloads, half-open connections, heavy queries. Memory does not grow, no descriptor is left open, nothing is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiSession } from '../tests/support/api-session.ts';
import { connectPacket, RawMqtt } from '../tests/support/raw-mqtt.ts';
import { SampleStream } from '../tests/support/sample-stream.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { descriptorCount, median, medianSlope, residentMb } from './process-figures.ts';

const LOAD = { window: 4, samplesPerMessage: 10, pauseMs: 8 };
const DEVICES = 20;
const LOOK_MS = 2000;
const FAULT_MS = 3000;
const STORM_CONNECTIONS = 100;
const DESCRIPTORS_MORE_MAX = 20;
/** The long form's bound; in minutes a slope says nothing yet, so the short form bounds what was added. */
const SLOPE_MB_PER_HOUR_MAX = 1;
const GROWTH_MB_MAX = 32;

export const soak: ScorecardLine = {
  number: 17,
  what: 'soak',
  must: `memory slope under ${SLOPE_MB_PER_HOUR_MAX} MB/h (short: under ${GROWTH_MB_MAX} MB in the second half), no descriptor left, 0 lost`,
  async run(form) {
    const folder = temporaryFolder('soak');
    const environment = { FIELDLINE_STORE_SEAL_AFTER_SECONDS: '20', FIELDLINE_STORE_RAW_RETENTION_DAYS: '7' };
    const server = await startServer({ dataDir: folder.path, environment });
    try {
      const outcome = await measure(server, form);
      await server.stop();
      return outcome;
    } finally {
      await server.kill();
      folder.remove();
    }
  },
};

interface Look {
  readonly hours: number;
  readonly mb: number;
  readonly descriptors: number;
}

async function measure(server: RunningServer, form: Form): Promise<Outcome> {
  const durationMs = form === 'long' ? 2 * 3_600_000 : 600_000;
  const api = await ApiSession.signIn(server.url);
  const stream = await SampleStream.begin(server, api, DEVICES, LOAD);
  await stream.flows();
  const looks: Look[] = [];
  const started = performance.now();
  let faults = 0;
  for (let nextFaultMs = 0; performance.now() - started < durationMs; await sleep(LOOK_MS)) {
    const elapsedMs = performance.now() - started;
    if (elapsedMs >= nextFaultMs) {
      await FAULTS[faults % FAULTS.length]!(server, api);
      faults += 1;
      nextFaultMs = elapsedMs + FAULT_MS;
    }
    const processId = server.process.pid!;
    looks.push({ hours: elapsedMs / 3_600_000, mb: residentMb(processId), descriptors: descriptorCount(processId) });
  }
  await stream.finish();
  const { acknowledged, lost, doubled } = await stream.compare(api);
  return judge(looks, form, { acknowledged, lost, doubled, faults });
}

function judge(
  looks: readonly Look[],
  form: Form,
  counts: { acknowledged: number; lost: number; doubled: number; faults: number },
): Outcome {
  const half = looks.slice(Math.floor(looks.length / 2));
  const [third, fourth] = [half.slice(0, half.length / 2), half.slice(half.length / 2)];
  const growthMb = median(fourth.map(({ mb }) => mb)) - median(third.map(({ mb }) => mb));
  const slope = medianSlope(half.map(({ hours, mb }) => [hours, mb]));
  const early = Math.max(...looks.slice(2, Math.max(5, looks.length / 10)).map(({ descriptors }) => descriptors));
  const late = median(fourth.map(({ descriptors }) => descriptors));
  const findings = [
    ...(counts.lost + counts.doubled > 0 ? [`${counts.lost} lost, ${counts.doubled} doubled`] : []),
    ...(form === 'long' && slope > SLOPE_MB_PER_HOUR_MAX ? [`memory grows by ${slope.toFixed(1)} MB/h`] : []),
    ...(form === 'short' && growthMb > GROWTH_MB_MAX ? [`memory grew by ${growthMb.toFixed(0)} MB`] : []),
    ...(late > early + DESCRIPTORS_MORE_MAX ? [`descriptors went from ${early} to ${late}`] : []),
  ];
  const figure =
    `memory ${median(third.map(({ mb }) => mb)).toFixed(0)} → ${median(fourth.map(({ mb }) => mb)).toFixed(0)} MB (slope ${slope.toFixed(0)} MB/h), ` +
    `descriptors ${early} → ${late}, ${counts.lost} lost of ${counts.acknowledged.toLocaleString('en-US')}, ${counts.faults} faults`;
  return { passed: findings.length === 0, figure, findings };
}

type Fault = (server: RunningServer, api: ApiSession) => Promise<void>;

const FAULTS: readonly Fault[] = [
  async function storm({ mqtt }) {
    const clients = await Promise.all(Array.from({ length: STORM_CONNECTIONS }, () => RawMqtt.open(mqtt)));
    for (const [index, client] of clients.entries()) {
      client.socket.write(connectPacket(`storm-${index}`, 'nobody', 'wrong'));
      client.socket.resetAndDestroy();
    }
  },
  async function malformed({ mqtt }) {
    for (const bytes of ['f000', '1000', '30ffffffff7f', '100c00044d51545405ff003c0000']) {
      const client = await RawMqtt.open(mqtt);
      client.socket.end(Buffer.from(bytes, 'hex'));
      await client.untilClosed(20_000);
    }
  },
  async function halfOpen({ mqtt }) {
    const client = await RawMqtt.open(mqtt);
    client.socket.write(Buffer.from('10', 'hex')); // Never more: the broker gives up by itself.
    setTimeout(() => client.socket.destroy(), 30_000).unref();
  },
  async function badBodies({ url }) {
    for (const body of ['{', '[]', '{"metrics":{"a":1e400}}', 'x'.repeat(100_000)])
      await (await fetch(`${url}/api/v1/webhook/sensor-data`, { method: 'POST', body })).arrayBuffer();
  },
  async function queries(_, api) {
    const { items } = await api.call<{ items: { id: string }[] }>('GET', 'devices?limit=20');
    const now = Date.now();
    await Promise.all(items.map(({ id }) => api.samples(id, 'n', now - 12 * 3_600_000, now - 11.9 * 3_600_000)));
  },
];
