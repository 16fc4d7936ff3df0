/**
 * Line 12: a large log and a year of data, samples coming in, SIGKILL; the time from there to the first acknowledgement, and to
 * the moment at which every part is ready. The short form has a tenth of the log and fewer series.
 */
import { connectAsync, type MqttClient } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from '../tests/support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Form, Outcome, ScorecardLine } from './line.ts';
import { writeYear } from './year-of-data.ts';

const PUBACK_MS_MAX = 5_000;
const FORMS = {
  short: { logBytes: 100e6, series: 20, samplesPerDay: 288, kills: 3, liveSamples: 300_000 },
  long: { logBytes: 1e9, series: 100, samplesPerDay: 1440, kills: 10, liveSamples: 3_000_000 },
} as const;

export const recovery: ScorecardLine = {
  number: 12,
  what: 'recovery',
  must: 'a year of data, SIGKILL: the first PUBACK after 5 s at most',
  async run(form, say) {
    const folder = temporaryFolder('recovery');
    try {
      return await measure(form, folder.path, say);
    } finally {
      folder.remove();
    }
  },
};

async function measure(form: Form, dataDir: string, say: (line: string) => void): Promise<Outcome> {
  const { logBytes, series, samplesPerDay, kills, liveSamples } = FORMS[form];
  const { device, port } = await firstRun(dataDir, series);
  const { organizationId, id: deviceId } = device;
  const origin = {
    organizationId,
    deviceId,
    topic: 'history',
    codec: 'json',
    source: 'import',
    mappingVersion: 1,
  } as const;
  const until = Math.floor(Date.now() / 86_400_000) * 86_400_000_000;
  const written = await writeYear({ dataDir, origin, logBytes, days: 365, samplesPerDay, until });
  say(`${(logBytes / 1e6).toFixed(0)} MB of log, ${written.toLocaleString('en-US')} samples of a year`);
  const environment = { ...ENVIRONMENT, FIELDLINE_BROKER_PORT: String(port) };
  let server = await startServer({ dataDir, environment });
  const times: { pubackMs: number; readyMs: number }[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    await publishSamples(server, device, series, liveSamples / kills);
    await server.kill();
    const killedMs = performance.now();
    const puback = firstPuback(server.mqtt, device).then(() => performance.now() - killedMs);
    server = await startServer({ dataDir, environment, linesMax: 400 });
    const readyMs = performance.now() - killedMs;
    const pubackMs = await puback;
    times.push({ pubackMs, readyMs });
    say(
      `kill ${kill}: PUBACK after ${pubackMs.toFixed(0)} ms, ready after ${readyMs.toFixed(0)} ms (${partsOf(server)})`,
    );
  }
  await server.stop();
  const slowest = Math.max(...times.map(({ pubackMs }) => pubackMs));
  const ready = Math.max(...times.map(({ readyMs }) => readyMs));
  return {
    passed: slowest <= PUBACK_MS_MAX,
    figure: `first PUBACK after ${(slowest / 1000).toFixed(1)} s at most, all ready after ${(ready / 1000).toFixed(1)} s, with ${(logBytes / 1e6).toFixed(0)} MB of log and ${(written / 1e6).toFixed(0)} M samples`,
  };
}

const ENVIRONMENT = { FIELDLINE_STORE_RAW_RETENTION_DAYS: '500', FIELDLINE_LOG_LEVEL: 'debug' };

/** Makes organisation, device and series, so that what is written below them has an owner. */
async function firstRun(dataDir: string, series: number): Promise<{ device: DeviceCredentials; port: number }> {
  const server = await startServer({ dataDir });
  const api = await ApiSession.signIn(server.url);
  const device = await api.createDevice('recovery');
  const client = await signedIn(server.mqtt, device);
  await client.publishAsync(topicOf(device), messageOf(series, Date.now()), { qos: 1 });
  await client.endAsync();
  await eventually('the series', async () => {
    const { metrics } = await api.call<{ metrics: object }>('GET', `telemetry/device/${device.id}/latest`);
    return Object.keys(metrics).length === series ? true : null;
  });
  await server.stop();
  return { device, port: server.mqtt.port };
}

/** Puts so many samples into the store's hot rows: what a restart must read again. */
async function publishSamples(
  server: RunningServer,
  device: DeviceCredentials,
  series: number,
  samples: number,
): Promise<void> {
  const client = await signedIn(server.mqtt, device);
  const messages = Math.ceil(samples / series / 10);
  const startMs = Date.now() - messages * 10;
  for (let sent = 0; sent < messages; sent += 500) {
    const group = Array.from({ length: Math.min(500, messages - sent) }, (_, index) => {
      const first = startMs + (sent + index) * 10;
      const rows = Array.from({ length: 10 }, (_, row) => messageOf(series, first + row));
      return client.publishAsync(topicOf(device), `[${rows.join(',')}]`, { qos: 1 });
    });
    await Promise.all(group);
  }
  await client.endAsync();
}

/** Tries until it is let in, publishes, and resolves with the acknowledgement. */
async function firstPuback(mqtt: RunningServer['mqtt'], device: DeviceCredentials): Promise<void> {
  const client = await eventually('the broker', () => signedIn(mqtt, device).catch(() => null), 60_000);
  await client.publishAsync(topicOf(device), messageOf(1, Date.now()), { qos: 1 });
  await client.endAsync(true);
}

function signedIn(mqtt: RunningServer['mqtt'], device: DeviceCredentials): Promise<MqttClient> {
  return connectAsync({ ...mqtt, protocolVersion: 5, username: device.id, password: device.token, reconnectPeriod: 0 });
}

function topicOf({ organizationId, key }: DeviceCredentials): string {
  return `v1/telemetry/${organizationId}/${key}`;
}

function messageOf(series: number, ts: number): string {
  const metrics = Object.fromEntries(
    Array.from({ length: series }, (_, index) => [`m${index}`, (ts % 1000) + index / 4]),
  );
  return JSON.stringify({ ts, metrics });
}

/** When each part was started, from the log. */
function partsOf(server: RunningServer): string {
  const starts = server.lastLines().matchAll(/"part":"([^"]+)","durationMs":(\d+),"sinceStartMs":(\d+)/g);
  return [...starts].map(([, part, , sinceStart]) => `${part} ${sinceStart}`).join(', ');
}
