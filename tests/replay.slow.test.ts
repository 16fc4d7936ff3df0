/**
 * Replay through the real program: everything again changes nothing; what was missing comes once the cause is mended; pause, go
 * on, cancel; SIGKILL in the middle; sandboxes that are the same each time; and nothing of it for another organisation.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

interface Job {
  readonly id: string;
  readonly status: string;
  readonly progress: { readonly done: number; readonly total: number | null; readonly percent: number | null };
  readonly secondsLeft: number | null;
  readonly error: string | null;
  readonly result: Readonly<Record<string, unknown>> | null;
}

const RECORDS = 600;
/** A start on a busy machine takes long. */
const WAIT_LIMIT_MS = 60_000;
const METRICS = ['level', 'state', 'speed'] as const;
const folder = temporaryFolder('replay');
let server: RunningServer;
let api: ApiSession;
let pump: DeviceCredentials;
let valve: DeviceCredentials;
let apiKey: string;
let ts = 0;
/** When the messages of the beginning were received. */
let received = { from: 0, to: 0 };

const startAgain = async (): Promise<void> => {
  server = await startServer({ dataDir: folder.path });
  api = await ApiSession.signIn(server.url);
};

beforeAll(async () => {
  await startAgain();
  ts = Date.now() - 3_600_000;
  pump = await api.createDevice('pump');
  valve = await api.createDevice('valve');
  apiKey = (await api.call<{ key: string }>('POST', 'api-keys', { name: 'line', scopes: ['ingest'] })).key;
  // One message with, one without a time of its own, and a correction of each tenth.
  for (let n = 0; n < RECORDS; n++) {
    const device = n % 2 === 0 ? pump : valve;
    const metrics = { level: n, state: `s${n % 7}`, speed: n / 3 };
    messages.push({ deviceId: device.id, ...(n % 4 !== 0 && { ts: ts + n * 100 }), metrics });
    if (n % 10 === 1) messages.push({ deviceId: device.id, ts: ts + n * 100, metrics: { level: n + 1000 } });
  }
  const from = Date.now();
  for (let first = 0; first < messages.length; first += 20) await post(messages.slice(first, first + 20));
  received = { from, to: Date.now() + 1 };
  await stored();
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const messages: object[] = [];

async function post(body: unknown): Promise<void> {
  const answer = await fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(202);
}

const stored = (): Promise<true> =>
  eventually('everything to be stored', async () => {
    const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
    return lag.records === 0 ? true : null;
  });

const job = (id: string): Promise<Job> => api.call('GET', `telemetry/replay/${id}`);
const replay = (more: object): Promise<Job> =>
  api.call('POST', 'telemetry/replay', { devices: 'all', startTime: String(ts - 60_000), target: 'live', ...more });

const ended = (id: string, status = 'completed'): Promise<Job> =>
  eventually(
    `the replay to be ${status}`,
    async () => {
      const now = await job(id);
      if (now.status === 'failed') throw new Error(`${now.error}\n${server.lastLines()}`);
      return now.status === status ? now : null;
    },
    WAIT_LIMIT_MS,
  );

/** Everything that the telemetry routes tell of these devices. */
async function everything(sandbox?: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const { id } of [pump, valve]) {
    const query = new URLSearchParams({ startTime: String(ts - 60_000), endTime: String(Date.now() + 60_000) });
    query.set('limit', '10000');
    if (sandbox !== undefined) query.set('sandbox', sandbox);
    found.push((await api.call<{ data: unknown[] }>('GET', `telemetry/device/${id}?${query}`)).data);
    query.set('aggregation', '1m');
    query.set('metricKey', 'level');
    found.push((await api.call<{ data: unknown[] }>('GET', `telemetry/device/${id}?${query}`)).data);
    const only = sandbox === undefined ? '' : `?sandbox=${sandbox}`;
    found.push((await api.call<{ metrics: unknown }>('GET', `telemetry/device/${id}/latest${only}`)).metrics);
  }
  return found;
}

test('everything again, into the live store: nothing has changed, no sample is doubled, no correction undone', async () => {
  const before = await everything();
  expect(before[0]).toHaveLength((RECORDS / 2) * METRICS.length);
  const { id } = await replay({});
  const { result, progress } = await ended(id);
  expect(result).toMatchObject({ records: messages.length, refused: {}, recordsMissing: 0, problems: [] });
  expect(progress).toEqual({ done: messages.length, total: messages.length, percent: 100 });
  expect(await everything()).toEqual(before);
});

test('two sandboxes are the same, and the same as what is live; they go with their jobs', async () => {
  const live = await everything();
  const ids: string[] = [];
  for (const _ of [1, 2]) {
    const { id } = await replay({ target: 'sandbox' });
    await ended(id);
    expect(await everything(id)).toEqual(live);
    ids.push(id);
  }
  const one = await replay({ target: 'sandbox', devices: ['pump'] });
  await ended(one.id);
  const [, , , ofValve] = await everything(one.id);
  expect(ofValve).toEqual([]);
  expect((await api.raw('DELETE', `jobs/${ids[0]}`)).status).toBe(204);
  expect((await api.raw('GET', `telemetry/device/pump?sandbox=${ids[0]}`)).status).toBe(404);
  expect(await everything(ids[1])).toEqual(live);
});

test('what was missing comes once the cause is mended', async () => {
  await post([{ deviceId: 'late', ts: ts + 5, metrics: { level: 7 } }]);
  await stored();
  const late = await api.createDevice('late');
  expect(await api.samples(late.id, 'level', ts, ts + 10)).toEqual([]);
  await ended((await replay({ devices: ['late'] })).id);
  expect(await api.samples(late.id, 'level', ts, ts + 10)).toEqual([[ts + 5, 7]]);
});

test('pause, go on, cancel; the queue tells', async () => {
  // So slow that it lasts for hours.
  const { id } = await replay({ target: 'sandbox', speed: 0.01 });
  const running = await eventually('it to be under way', async () => {
    const now = await job(id);
    return now.status === 'running' && now.progress.total !== null ? now : null;
  });
  expect(running.progress.percent).toBeLessThan(100);
  expect((await api.call<Job>('POST', `jobs/${id}/pause`)).status).toBe('paused');
  const stats = await api.call<{ queues: object[] }>('GET', 'queues/stats');
  expect(stats.queues).toMatchObject([{ name: 'telemetry-replay', paused: 1, running: 0, delayed: 0 }]);
  await api.call('POST', `jobs/${id}/resume`);
  await ended(id, 'running');
  expect((await api.call<Job>('POST', `jobs/${id}/cancel`)).status).toBe('cancelled');
  expect((await api.raw('POST', `jobs/${id}/resume`)).status).toBe(409);
  expect((await api.raw('GET', `telemetry/device/pump?sandbox=${id}`)).status).toBe(404);
  await eventually('its sandbox to be deleted', () => (existsSync(join(folder.path, 'sandbox', id)) ? null : true));
  expect(await api.call('DELETE', 'queues/delayed')).toEqual({ cancelled: 0 });
});

test('SIGKILL in the middle: it goes on where it was, and leaves what it would have left', async () => {
  const live = await everything();
  // At this pace it takes some four seconds.
  const { id } = await replay({
    ...{ target: 'sandbox', startTime: String(received.from), endTime: String(received.to) },
    speed: (received.to - received.from) / 4000,
  });
  const before = await eventually('it to be in the middle', async () => {
    const { progress } = await job(id);
    return progress.done > 20 ? progress : null;
  });
  await server.kill();
  expect(before.done).toBeLessThan(messages.length);
  await startAgain();
  const { result } = await ended(id);
  expect(result).toMatchObject({ records: messages.length, refused: {} });
  const [first, , , second] = await everything(id);
  expect([first, second]).toEqual([live[0], live[3]]);
}, 120_000);

test('another organisation, and who is no administrator, gets nothing of it', async () => {
  const { id } = await replay({ target: 'sandbox' });
  await ended(id);
  const password = 'a long enough password';
  await api.call('POST', 'users', { email: 'op@example.org', name: 'op', role: 'operator', password });
  const operator = await ApiSession.signIn(server.url, 'op@example.org', password);
  const body = { devices: 'all', startTime: String(ts), target: 'live' };
  expect((await operator.raw('POST', 'telemetry/replay', body)).status).toBe(403);
  expect((await operator.raw('POST', `jobs/${id}/cancel`)).status).toBe(403);
  expect((await operator.raw('GET', `jobs/${id}`)).status).toBe(200);
  for (const wrong of [
    { ...body, startTime: String(Date.now() + 1e6) },
    { ...body, devices: [] },
    { ...body, speed: 0 },
  ]) {
    expect((await api.raw('POST', 'telemetry/replay', wrong)).status).toBe(400);
  }
  expect((await api.raw('POST', 'telemetry/replay', { ...body, devices: ['nobody'] })).status).toBe(404);
});
