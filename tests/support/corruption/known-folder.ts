/**
 * A data folder whose every sample is known: made by the real server over MQTT, sealed in part, once as a kill left it and once
 * as a clean stop did. And the question whether a server that runs on a copy still tells the truth.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { DEFAULT_TOPIC_SETTINGS, openEmbeddedLog } from '@fieldline/log';
import { connectAsync, type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../api-session.ts';
import { type RunningServer, startServer } from '../server-process.ts';

export interface KnownFolder {
  /** As SIGKILL left it, with a write-ahead log in store and catalog. */
  readonly killed: string;
  /** As a clean stop left it. */
  readonly stopped: string;
  /** As SIGKILL left it; retention has deleted the log's records of the first half, which is sealed. null where nobody asked for it. */
  readonly trimmed: string | null;
  readonly devices: readonly DeviceCredentials[];
  readonly startMs: number;
}

/** What a server says of the known samples. */
export interface Truth {
  readonly equal: number;
  readonly missing: number;
  /** Values or times that were never sent: the one thing that must not be. */
  readonly wrong: number;
}

/** Samples are sealed at once; the log's files are as small as they may be. */
export const ENVIRONMENT = {
  FIELDLINE_STORE_SEAL_AFTER_SECONDS: '2',
  FIELDLINE_STORE_SEAL_ROWS: '1000',
  FIELDLINE_LOG_SEGMENT_BYTES_MAX: String(1024 * 1024),
};
/** The same, and samples stay in the database. */
const UNSEALED = { ...ENVIRONMENT, FIELDLINE_STORE_SEAL_AFTER_SECONDS: '80000', FIELDLINE_STORE_SEAL_ROWS: '1000000' };
/** More than what the log keeps by default. */
const RAW_RETENTION_MS = 31 * 86_400_000;
const DEVICES = 3;
const MESSAGES = 40;
const SAMPLES_PER_MESSAGE = 20;
/** The samples reach over three days, so that there are several sealed files. */
const STEP_MS = 320_000;
const HOUR_MS = 3_600_000;
const NOTE_LENGTH = 400;
const PER_DEVICE = MESSAGES * SAMPLES_PER_MESSAGE;
/** Numbers, and as many texts. */
export const SAMPLES = 2 * DEVICES * PER_DEVICE;

export async function makeKnownFolder(folder: string, { withTrimmed = false } = {}): Promise<KnownFolder> {
  const dataDir = join(folder, 'made');
  const startMs = Date.now() - PER_DEVICE * STEP_MS - 60_000;
  let server = await startServer({ dataDir, environment: ENVIRONMENT });
  try {
    const api = await ApiSession.signIn(server.url);
    const devices = await api.createDevices(DEVICES, 'known-');
    const [killed, stopped, trimmed] = ['killed', 'stopped', 'trimmed'].map((name) => join(folder, name));
    const known = { killed: killed!, stopped: stopped!, trimmed: withTrimmed ? trimmed! : null, devices, startMs };
    await publishAll(server, known, 0, PER_DEVICE / 2);
    await storedAndSealed(api, SAMPLES / 2);
    await server.stop();
    if (withTrimmed) await makeTrimmed(known, dataDir, trimmed!);
    server = await startServer({ dataDir, environment: UNSEALED });
    await publishAll(server, known, PER_DEVICE / 2, PER_DEVICE);
    await storedAndSealed(await ApiSession.signIn(server.url), 0);
    await server.kill();
    copyFolder(dataDir, known.killed);
    server = await startServer({ dataDir, environment: UNSEALED });
    await server.stop();
    copyFolder(dataDir, known.stopped);
    return known;
  } finally {
    await server.kill();
  }
}

/** From a folder of which the first half is sealed, after a clean stop. */
async function makeTrimmed(known: KnownFolder, from: string, trimmed: string): Promise<void> {
  copyFolder(from, trimmed);
  const log = await openEmbeddedLog({ dir: join(trimmed, 'log'), topics: DEFAULT_TOPIC_SETTINGS });
  const later = (Date.now() + RAW_RETENTION_MS) * 1000;
  await log.enforceRetention(later, (topic) => (topic === 'telemetry.raw' ? null : 0));
  await log.close();
  const server = await startServer({ dataDir: trimmed, environment: UNSEALED });
  try {
    await publishAll(server, known, PER_DEVICE / 2, PER_DEVICE);
    await storedAndSealed(await ApiSession.signIn(server.url), 0);
  } finally {
    await server.kill();
  }
}

async function storedAndSealed(api: ApiSession, sealedRowsMin: number): Promise<void> {
  const isSo = async (): Promise<true | null> => {
    const { lag, store } = await api.call<SealedReport>('GET', 'pipeline/health');
    return lag.records === 0 && store.sealedRows >= sealedRowsMin ? true : null;
  };
  await eventually(`the samples to be stored, and ${sealedRowsMin} of them sealed`, isSo, 180_000, 100);
}

interface SealedReport {
  readonly lag: { readonly records: number };
  readonly store: { readonly hotRows: number; readonly sealedRows: number };
}

async function publishAll(server: RunningServer, known: KnownFolder, from: number, to: number): Promise<void> {
  for (const [index, device] of known.devices.entries()) {
    const client = await connected(server, device);
    // State that is kept for the session: a subscription, and a message that waits for it.
    await client.subscribeAsync(`app/${device.organizationId}/#`, { qos: 1 }).catch(() => []);
    for (let first = from; first < to; first += SAMPLES_PER_MESSAGE) {
      const message = Array.from({ length: SAMPLES_PER_MESSAGE }, (_, at) => ({
        ts: known.startMs + (first + at) * STEP_MS,
        metrics: { n: sentValue(index, first + at), note: sentNote(index, first + at) },
      }));
      const topic = `v1/telemetry/${device.organizationId}/${device.key}`;
      await client.publishAsync(topic, JSON.stringify(message), { qos: 1 });
    }
    await client.endAsync(true);
  }
}

function connected(server: RunningServer, device: DeviceCredentials): Promise<MqttClient> {
  const properties = { sessionExpiryInterval: 86_400 };
  return eventually('the broker to know the device', () =>
    connectAsync({
      ...server.mqtt,
      username: device.id,
      password: device.token,
      clientId: device.key,
      protocolVersion: 5,
      clean: false,
      reconnectPeriod: 0,
      properties,
    }).catch(() => null),
  );
}

function sentValue(device: number, sample: number): number {
  return device * 1_000_000 + sample + 0.25;
}

function sentNote(device: number, sample: number): string {
  return `${device}.${sample} `.padEnd(NOTE_LENGTH, `${(sample * 7919) % 10_007}-`);
}

/** Compares everything that the server answers with what was sent: samples, texts and means by the hour. Throws where it does not answer. */
export async function compareAll(server: RunningServer, known: KnownFolder): Promise<Truth> {
  const api = await ApiSession.signIn(server.url);
  await storedAndSealed(api, 0);
  const truth = { equal: 0, missing: 0, wrong: 0 };
  for (const [index, device] of known.devices.entries()) {
    await compareSeries(api, device, 'n', known.startMs, (sample) => sentValue(index, sample), truth);
    await compareSeries(api, device, 'note', known.startMs, (sample) => sentNote(index, sample), truth);
    truth.wrong += await patiently(() => wrongHours(api, device, index, known.startMs));
  }
  return truth;
}

async function compareSeries(
  api: ApiSession,
  { id }: DeviceCredentials,
  metricKey: string,
  startMs: number,
  sent: (sample: number) => unknown,
  truth: { equal: number; missing: number; wrong: number },
): Promise<void> {
  const seen = new Set<number>();
  const samples = await patiently(() => api.samples(id, metricKey, startMs - 86_400_000, Date.now() + 86_400_000));
  for (const [timeMs, value] of samples as [number, unknown][]) {
    const sample = (timeMs - startMs) / STEP_MS;
    const isKnown = Number.isInteger(sample) && sample >= 0 && sample < PER_DEVICE && !seen.has(sample);
    if (isKnown && value === sent(sample)) truth.equal += 1;
    else truth.wrong += 1;
    seen.add(sample);
  }
  for (let sample = 0; sample < PER_DEVICE; sample++) if (!seen.has(sample)) truth.missing += 1;
}

/** Hours whose count is more than was sent, or whose least, greatest or mean value cannot be. */
async function wrongHours(api: ApiSession, { id }: DeviceCredentials, index: number, startMs: number): Promise<number> {
  const query = new URLSearchParams({
    metricKey: 'n',
    startTime: new Date(startMs - HOUR_MS).toISOString(),
    endTime: new Date(startMs + PER_DEVICE * STEP_MS + HOUR_MS).toISOString(),
    aggregation: '1h',
    limit: '1000',
  });
  const { data } = await api.call<{ data: Hour[] }>('GET', `telemetry/device/${id}?${query}`);
  return data.filter(({ timestamp, count, avg, min, max }) => {
    const from = Math.max(0, Math.ceil((Date.parse(timestamp) - startMs) / STEP_MS));
    const last = Math.min(PER_DEVICE, Math.ceil((Date.parse(timestamp) + HOUR_MS - startMs) / STEP_MS)) - 1;
    const sent = last - from + 1;
    const [least, greatest] = [sentValue(index, from), sentValue(index, last)];
    const isMean = Math.abs(avg - (least + greatest) / 2) < 1e-6;
    const isWhole = count === sent && isMean && min === least && max === greatest;
    const isPart = count > 0 && count < sent && min >= least && max <= greatest && avg >= min && avg <= max;
    return !isWhole && !isPart;
  }).length;
}

interface Hour {
  readonly timestamp: string;
  readonly count: number;
  readonly avg: number;
  readonly min: number;
  readonly max: number;
}

/** The first question that meets a damaged file fails and names it, the next one is answered without it. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

export function copyFolder(from: string, to: string): void {
  execFileSync('cp', ['-a', '--reflink=auto', from, to]);
}
