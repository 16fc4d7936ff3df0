/**
 * Line 16: 10,000 connections to the real server, plain and TLS, idle and at 1 msg/s each. What a connection takes while it
 * sends is told by two servers of the same age under the same load: one has it from all connections, one from a hundred.
 */
import { makeCertificate } from '../bench/contenders.ts';
import { CrowdLead, type CrowdReport } from '../bench/crowd-lead.ts';
import { cpuWords, ProcessWatch, residentMb } from '../bench/process-watch.ts';
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';

const CONNECTIONS = 10_000;
/** Those that are there before memory is looked at. */
const FIRST = 100;
const TLS_SHORT = 2_000;
/** Somebody else, in a process of its own: what it waits for is the server, not the crowd's own work. */
const BYSTANDERS = 10;
const BYSTANDER_MESSAGES_PER_SECOND = 50;
/** A device may have several; this many connections share one identity. */
const CONNECTIONS_PER_DEVICE = 50;
const PAYLOAD = JSON.stringify({ metrics: { temperature: 21.5 } });
const PATIENCE = { keepAliveS: 600, limitMs: 180_000 };
const PLAIN_KB_MAX = 15;
const TLS_KB_MAX = 60;
const ACCEPTS_MIN = 2_000;

export const manyConnections: ScorecardLine = {
  number: 16,
  what: '10,000 connections',
  must: `at most ${PLAIN_KB_MAX} KB each plain, ${TLS_KB_MAX} KB TLS; at least ${ACCEPTS_MIN} accepted a second plain; none lost at 1 msg/s each`,
  async run(form, say) {
    const plain = await crowd(CONNECTIONS, false);
    say(plain.words);
    const tls = await crowd(form === 'long' ? CONNECTIONS : TLS_SHORT, true);
    say(tls.words);
    const passed =
      Math.max(plain.idleKbEach, plain.busyKbEach) <= PLAIN_KB_MAX &&
      Math.max(tls.idleKbEach, tls.busyKbEach) <= TLS_KB_MAX &&
      plain.perSecond >= ACCEPTS_MIN &&
      plain.whole &&
      tls.whole;
    return { passed, figure: `plain: ${plain.words}; TLS: ${tls.words}` } satisfies Outcome;
  },
};

interface Crowded {
  readonly idleKbEach: number;
  readonly busyKbEach: number;
  readonly perSecond: number;
  /** Every connection stayed, every message was acknowledged. */
  readonly whole: boolean;
  readonly words: string;
}

async function crowd(count: number, secure: boolean): Promise<Crowded> {
  const few = await observe(FIRST, count, secure);
  const all = await observe(count, count, secure);
  const idleKbEach = kbOfEach(all.idleMb - all.emptyMb, count);
  const busyKbEach = kbOfEach(all.busyMb - few.busyMb, count);
  const words = `${all.opened.toLocaleString('en-US')} connections, ${idleKbEach.toFixed(1)} KB each, at 1 msg/s ${busyKbEach.toFixed(1)} KB, ${all.words}`;
  return { idleKbEach, busyKbEach, perSecond: all.perSecond, whole: all.whole, words };
}

function kbOfEach(megabytes: number, count: number): number {
  return (megabytes / (count - FIRST)) * 1024;
}

interface Observed {
  readonly opened: number;
  readonly perSecond: number;
  /** Resident memory: with the first connections, with all, and after all have sent. */
  readonly emptyMb: number;
  readonly idleMb: number;
  readonly busyMb: number;
  readonly whole: boolean;
  readonly words: string;
}

/** So many connections send so many messages a second together. */
async function observe(count: number, messagesPerSecond: number, secure: boolean): Promise<Observed> {
  const folder = temporaryFolder('connections');
  const certificate = makeCertificate(folder.path);
  const server = await startServer({
    dataDir: `${folder.path}/data`,
    environment: secure
      ? {
          FIELDLINE_BROKER_TLS_HOST: '127.0.0.1',
          FIELDLINE_BROKER_TLS_PORT: '0',
          FIELDLINE_BROKER_TLS_CERT_FILE: certificate.certFile,
          FIELDLINE_BROKER_TLS_KEY_FILE: certificate.keyFile,
        }
      : {},
  });
  const lead = new CrowdLead();
  const bystanders = new CrowdLead();
  try {
    const api = await ApiSession.signIn(server.url);
    const devices = await api.createDevices(Math.ceil(messagesPerSecond / CONNECTIONS_PER_DEVICE), 'crowd-');
    const door = {
      host: '127.0.0.1',
      port: secure ? server.mqttTlsPort! : server.mqtt.port,
      ...(secure && { ca: certificate.pem }),
    };
    const clients = Array.from({ length: count }, (_, index) => {
      const device = devices[index % devices.length]!;
      const topic = `v1/telemetry/${device.organizationId}/${device.id}`;
      return { clientId: `crowd-${index}`, topic, userName: device.id, password: device.token };
    });
    const open = (from: number, to: number): Promise<CrowdReport> =>
      lead.perform({ kind: 'open', ...door, clients: clients.slice(from, to), concurrency: 100, ...PATIENCE });
    await open(0, FIRST);
    const emptyMb = residentMb(server.process.pid!);
    const { count: opened, milliseconds } = await open(FIRST, count);
    const idleMb = residentMb(server.process.pid!);
    const others = clients.slice(0, BYSTANDERS).map((one) => ({ ...one, clientId: `bystander-${one.clientId}` }));
    await bystanders.perform({ kind: 'open', ...door, clients: others, concurrency: BYSTANDERS, ...PATIENCE });
    const watch = new ProcessWatch(server.process.pid!);
    const sending = { kind: 'publish', seconds: 10, payload: PAYLOAD, limitMs: 60_000 } as const;
    const [load, seen] = await Promise.all([
      lead.perform({ ...sending, messagesPerSecond }),
      bystanders.perform({ ...sending, messagesPerSecond: BYSTANDER_MESSAGES_PER_SECOND }),
    ]);
    const report = watch.stop();
    await eventually('every connection to be counted', async () => {
      const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
      return lag.records === 0 ? true : null;
    });
    const sent = messagesPerSecond * 10;
    return {
      opened,
      perSecond: ((count - FIRST) / milliseconds) * 1000,
      emptyMb,
      idleMb,
      busyMb: report.residentEndMb,
      whole: opened === count && load.closed === 0 && load.count === sent,
      words: `${Math.round(((count - FIRST) / milliseconds) * 1000).toLocaleString('en-US')} accepted a second, ${load.count.toLocaleString('en-US')} of ${sent.toLocaleString('en-US')} messages acknowledged in ${(load.milliseconds / 1000).toFixed(1)} s, p99 ${load.p99Ms.toFixed(0)} ms; a bystander's p99 ${seen.p99Ms.toFixed(0)} ms; CPU seconds: ${cpuWords(report)}, crowd ${load.cpuSeconds.toFixed(1)} (late by ${load.ownDelayP99Ms.toFixed(0)} ms, p99)`,
    };
  } finally {
    await bystanders.end();
    await lead.end();
    await server.stop();
    folder.remove();
  }
}
