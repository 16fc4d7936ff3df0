/**
 * A data folder whose every sample is known: made by the real server over MQTT, sealed in part, once as a kill left it and once
 * as a clean stop did. And the question whether a server that runs on a copy still tells the truth.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../api-session.ts';
import { type RunningServer, startServer } from '../server-process.ts';

export interface KnownFolder {
  /** As SIGKILL left it, with a write-ahead log in store and catalog. */
  readonly killed: string;
  /** As a clean stop left it. */
  readonly stopped: string;
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

export const ENVIRONMENT = { FIELDLINE_STORE_SEAL_AFTER_SECONDS: '2', FIELDLINE_STORE_SEAL_ROWS: '1000' };
const DEVICES = 3;
const MESSAGES = 40;
const SAMPLES_PER_MESSAGE = 20;
/** The samples reach over three days, so that there are several sealed files. */
const STEP_MS = 320_000;
const PER_DEVICE = MESSAGES * SAMPLES_PER_MESSAGE;
export const SAMPLES = DEVICES * PER_DEVICE;

export async function makeKnownFolder(folder: string): Promise<KnownFolder> {
  const dataDir = join(folder, 'made');
  const startMs = Date.now() - PER_DEVICE * STEP_MS - 60_000;
  let server = await startServer({ dataDir, environment: ENVIRONMENT });
  try {
    const api = await ApiSession.signIn(server.url);
    const devices = await api.createDevices(DEVICES, 'known-');
    for (const [index, device] of devices.entries()) await publish(server, device, index, startMs);
    const known = { killed: join(folder, 'killed'), stopped: join(folder, 'stopped'), devices, startMs };
    const areSealed = async (): Promise<true | null> => {
      const { lag, store } = await api.call<SealedReport>('GET', 'pipeline/health');
      return lag.records === 0 && store.sealedRows >= SAMPLES / 2 ? true : null;
    };
    await eventually('the samples to be stored, and half of them sealed', areSealed, 60_000, 100);
    await server.kill();
    copyFolder(dataDir, known.killed);
    server = await startServer({ dataDir, environment: ENVIRONMENT });
    await server.stop();
    copyFolder(dataDir, known.stopped);
    return known;
  } finally {
    await server.kill();
  }
}

interface SealedReport {
  readonly lag: { readonly records: number };
  readonly store: { readonly hotRows: number; readonly sealedRows: number };
}

async function publish(
  server: RunningServer,
  device: DeviceCredentials,
  index: number,
  startMs: number,
): Promise<void> {
  const client = await connected(server, device);
  // State that is kept for the session: a subscription, and a message that waits for it.
  await client.subscribeAsync(`app/${device.organizationId}/#`, { qos: 1 }).catch(() => []);
  for (let first = 0; first < PER_DEVICE; first += SAMPLES_PER_MESSAGE) {
    const message = Array.from({ length: SAMPLES_PER_MESSAGE }, (_, at) => ({
      ts: startMs + (first + at) * STEP_MS,
      metrics: { n: sentValue(index, first + at) },
    }));
    await client.publishAsync(`v1/telemetry/${device.organizationId}/${device.key}`, JSON.stringify(message), {
      qos: 1,
    });
  }
  await client.endAsync(true);
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

/** Compares everything that the server answers with what was sent. Throws where it does not answer. */
export async function compareAll(server: RunningServer, { devices, startMs }: KnownFolder): Promise<Truth> {
  const api = await ApiSession.signIn(server.url);
  await eventually(
    'the pipeline to catch up',
    async () => {
      const { lag } = await api.call<SealedReport>('GET', 'pipeline/health');
      return lag.records === 0 ? true : null;
    },
    60_000,
  );
  const truth = { equal: 0, missing: 0, wrong: 0 };
  for (const [index, device] of devices.entries()) {
    const seen = new Set<number>();
    const samples = await patiently(() => api.samples(device.id, 'n', startMs - 86_400_000, Date.now() + 86_400_000));
    for (const [timeMs, value] of samples) {
      const sample = (timeMs - startMs) / STEP_MS;
      const isRight =
        Number.isInteger(sample) && sample < PER_DEVICE && value === sentValue(index, sample) && !seen.has(sample);
      if (isRight) truth.equal += 1;
      else truth.wrong += 1;
      seen.add(sample);
    }
    for (let sample = 0; sample < PER_DEVICE; sample++) if (!seen.has(sample)) truth.missing += 1;
  }
  return truth;
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
