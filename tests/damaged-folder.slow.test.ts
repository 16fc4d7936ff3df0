/** Data folders that somebody has damaged or half restored: what can go on goes on and says so, the rest is refused in words. */
import { cpSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const folder = temporaryFolder('damaged');
const whole = join(folder.path, 'whole');
let device: DeviceCredentials;
let copies = 0;

beforeAll(async () => {
  const server = await startServer({ dataDir: whole });
  device = await (await ApiSession.signIn(server.url)).createDevice('press');
  for (let value = 0; value < 5; value++) await publish(server, value);
  await stored(server, 5);
  await server.stop();
}, 60_000);
afterAll(() => folder.remove());

async function publish({ mqtt }: RunningServer, value: number, metric = 'value'): Promise<void> {
  const client = await connectAsync({ ...mqtt, username: device.id, password: device.token, protocolVersion: 5 });
  const message = { ts: Date.now(), metrics: { [metric]: value } };
  await client.publishAsync(`v1/telemetry/${device.organizationId}/${device.key}`, JSON.stringify(message), { qos: 1 });
  await client.endAsync();
}

/** Waits until so many samples can be read. */
async function stored(server: RunningServer, count: number): Promise<void> {
  const api = await ApiSession.signIn(server.url);
  await eventually(`${count} samples`, async () => {
    const samples = await api.samples(device.id, 'value', Date.now() - 3_600_000, Date.now() + 1000);
    return samples.length === count ? true : null;
  });
}

function copyWithout(...parts: string[]): string {
  copies += 1;
  const dataDir = join(folder.path, String(copies));
  cpSync(whole, dataDir, { recursive: true });
  for (const part of parts) rmSync(join(dataDir, part), { recursive: true });
  return dataDir;
}

test('with a catalog from before some of its series it learns them from the store, and gives their numbers to no other', async () => {
  const dataDir = copyWithout();
  const values = async (of: RunningServer, metric: string): Promise<number[]> => {
    const api = await ApiSession.signIn(of.url);
    // Not there yet.
    const samples = await api.samples(device.id, metric, Date.now() - 3_600_000, Date.now() + 1000).catch(() => []);
    return samples.map(([, value]) => value);
  };
  let server = await startServer({ dataDir });
  for (const [metric, value] of Object.entries({ flow: 71, torque: 72 })) await publish(server, value, metric);
  await eventually('the newest metric', async () => (await values(server, 'torque')).length === 1 || null);
  await server.stop();
  for (const part of ['catalog', 'catalog.sums']) {
    rmSync(join(dataDir, part), { recursive: true });
    cpSync(join(whole, part), join(dataDir, part), { recursive: true });
  }
  server = await startServer({ dataDir });
  expect(server.lastLines()).toContain('the catalog is older than the store');
  await publish(server, 73, 'speed');
  await eventually('a metric after it', async () => (await values(server, 'speed')).length === 1 || null);
  expect([await values(server, 'flow'), await values(server, 'torque'), await values(server, 'speed')]).toEqual([
    [71],
    [72],
    [73],
  ]);
  await server.stop();
}, 120_000);

test.each([
  ['catalog', 'it is missing: nothing says any more whose telemetry that is'],
  ['catalog/PG_VERSION', 'holds files but no PG_VERSION'],
])(
  'without %s it does not start',
  async (part, sentence) => {
    await expect(startServer({ dataDir: copyWithout(part) })).rejects.toThrow(sentence);
  },
  60_000,
);

test.each([
  ['FIELDLINE_API_PORT', 'api.port'],
  ['FIELDLINE_BROKER_PORT', 'broker.port'],
])(
  'where %s is taken it says which setting that is',
  async (variable, setting) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const start = startServer({ dataDir: copyWithout(), environment: { [variable]: String(port) } });
    await expect(start).rejects.toThrow(new RegExp(`cannot listen on 127.0.0.1:${port} .*${setting}`));
    other.close();
  },
  60_000,
);
