/** Line 16: 10,000 connections to the real server, plain and TLS, idle and at 1 msg/s each. */

import { makeCertificate } from '../bench/contenders.ts';
import { CrowdLead, type CrowdReport } from '../bench/crowd-lead.ts';
import { cpuWords, ProcessWatch, residentMb } from '../bench/process-watch.ts';
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';

const CONNECTIONS = 10_000;
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
      plain.kbEach <= PLAIN_KB_MAX &&
      tls.kbEach <= TLS_KB_MAX &&
      plain.perSecond >= ACCEPTS_MIN &&
      plain.whole &&
      tls.whole;
    return { passed, figure: `plain: ${plain.words}; TLS: ${tls.words}` } satisfies Outcome;
  },
};

interface Crowded {
  readonly kbEach: number;
  readonly perSecond: number;
  /** Every connection stayed, every message was acknowledged. */
  readonly whole: boolean;
  readonly words: string;
}

async function crowd(count: number, secure: boolean): Promise<Crowded> {
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
    const devices = await api.createDevices(Math.ceil(count / CONNECTIONS_PER_DEVICE), 'crowd-');
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
    await open(0, 100);
    const beforeMb = residentMb(server.process.pid!);
    const opened = await open(100, count);
    const kbEach = ((residentMb(server.process.pid!) - beforeMb) / (count - 100)) * 1024;
    const others = clients.slice(0, BYSTANDERS).map((one) => ({ ...one, clientId: `bystander-${one.clientId}` }));
    await bystanders.perform({ kind: 'open', ...door, clients: others, concurrency: BYSTANDERS, ...PATIENCE });
    const watch = new ProcessWatch(server.process.pid!);
    const sending = { kind: 'publish', seconds: 10, payload: PAYLOAD, limitMs: 60_000 } as const;
    const [load, seen] = await Promise.all([
      lead.perform({ ...sending, messagesPerSecond: count }),
      bystanders.perform({ ...sending, messagesPerSecond: BYSTANDER_MESSAGES_PER_SECOND }),
    ]);
    const cpu = cpuWords(watch.stop());
    await eventually('every connection to be counted', async () => {
      const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
      return lag.records === 0 ? true : null;
    });
    const perSecond = ((count - 100) / opened.milliseconds) * 1000;
    const whole = opened.count === count && load.closed === 0 && load.count === count * 10;
    const words = `${opened.count.toLocaleString('en-US')} connections, ${kbEach.toFixed(1)} KB each, ${Math.round(perSecond).toLocaleString('en-US')} accepted a second, ${load.count.toLocaleString('en-US')} of ${(count * 10).toLocaleString('en-US')} messages acknowledged in ${(load.milliseconds / 1000).toFixed(1)} s, p99 ${load.p99Ms.toFixed(0)} ms; a bystander's p99 ${seen.p99Ms.toFixed(0)} ms; CPU seconds: ${cpu}, crowd ${load.cpuSeconds.toFixed(1)} (late by ${load.ownDelayP99Ms.toFixed(0)} ms, p99)`;
    return { kbEach, perSecond, whole, words };
  } finally {
    await bystanders.end();
    await lead.end();
    await server.stop();
    folder.remove();
  }
}
