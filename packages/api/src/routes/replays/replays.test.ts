/** Replays and sandboxes over a real socket: what is asked for becomes a job, and a sandbox is read by its own organization alone. */
import type { Device } from '@fieldline/catalog';
import { microsToIso } from '@fieldline/model';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NOW_MS, startApi, type TestApi } from '../../testing/start-api.ts';

const NOW = NOW_MS * 1000;
const HOUR = 3_600_000_000;
let test: TestApi;
let device: Device;
let token: string;
let foreign: string;

beforeAll(async () => {
  test = await startApi();
  const { id } = await test.catalog.addOrganization('plant');
  const other = await test.catalog.addOrganization('other');
  const door = test.catalog.scoped({ organizationId: id, siteIds: null });
  ({ device } = await door.devices.create({ name: 'Press', key: 'press-4' }));
  const series = await test.catalog.addSeries(device, 'temperature', 'Cel');
  test.store.put(series.id, [[NOW - 1000, 1]]);
  test.sandbox.put(series.id, [[NOW - 1000, 2]]);
  token = await test.tokenFor(id, 'admin');
  foreign = await test.tokenFor(other.id, 'admin');
});
afterAll(() => test.stop());

const start = (body: object, as = token) => test.call('POST', '/api/v1/telemetry/replay', { token: as, body });

it('makes a job of what is asked for, with ids for keys', async () => {
  const { status, body } = await start({
    devices: ['press-4', device.id],
    startTime: microsToIso(NOW - HOUR),
    target: 'live',
  });
  expect(status).toBe(202);
  expect(body).toMatchObject({
    kind: 'telemetry-replay',
    status: 'queued',
    parameters: {
      devices: [device.id],
      ...{ startTime: microsToIso(NOW - HOUR), endTime: microsToIso(NOW), speed: 'max', target: 'live' },
    },
    progress: { done: 0, total: null, percent: null },
    secondsLeft: null,
  });
  const found = await test.call('GET', `/api/v1/telemetry/replay/${body.id}`, { token });
  expect(found.body).toEqual(body);
  expect((await test.call('GET', `/api/v1/telemetry/replay/${body.id}`, { token: foreign })).status).toBe(404);
});

it.each([
  ['an end before the start', { devices: 'all', startTime: '2026-05-02', endTime: '2026-05-01', target: 'live' }, 400],
  ['a start to come', { devices: 'all', startTime: '2030-01-01', target: 'live' }, 400],
  ['no target', { devices: 'all', startTime: '2026-01-01' }, 400],
  ['another target', { devices: 'all', startTime: '2026-01-01', target: 'moon' }, 400],
  ['no devices', { devices: [], startTime: '2026-01-01', target: 'live' }, 400],
  ['a device that is not there', { devices: ['nobody'], startTime: '2026-01-01', target: 'live' }, 404],
  ['a speed of nothing', { devices: 'all', startTime: '2026-01-01', target: 'live', speed: 0 }, 400],
])('refuses %s', async (_, body, status) => {
  expect((await start(body)).status).toBe(status);
});

it('estimates how long it takes at a pace that was asked for before it begins', async () => {
  const hour = { startTime: microsToIso(NOW - HOUR), endTime: microsToIso(NOW) };
  const { body } = await start({ devices: 'all', ...hour, target: 'sandbox', speed: 60 });
  expect(body).toMatchObject({ status: 'queued', secondsLeft: 60, parameters: { speed: 60 } });
});

it.each([
  ['too many devices', { devices: Array.from({ length: 1001 }, (_, at) => `d-${at}`) }, /^body\/devices .*1000/],
  ['milliseconds that are too few', { devices: 'all', startTime: '1000' }, /five digits/],
])('says what is wrong with %s', async (_, body, sentence) => {
  const answer = await start({ startTime: '2026-01-01', target: 'live', ...body });
  expect([answer.status, answer.body.detail]).toEqual([400, expect.stringMatching(sentence)]);
});

it("refuses another organization's device", async () => {
  const body = { devices: [device.id], startTime: '2026-01-01', target: 'sandbox' };
  expect((await start(body, foreign)).status).toBe(404);
});

it('reads a sandbox instead of the live store, for its own organization, until it is cancelled', async () => {
  const { body } = await start({ devices: 'all', startTime: '2026-01-01', target: 'sandbox' });
  const ask = async (sandbox: string, as = token) => {
    const { status, body: page } = await test.call('GET', `/api/v1/telemetry/device/press-4?sandbox=${sandbox}`, {
      token: as,
    });
    return status === 200 ? page.data[0].value : status;
  };
  const latest = await test.call('GET', `/api/v1/telemetry/device/press-4/latest?sandbox=${body.id}`, { token });
  expect(latest.body.metrics.temperature.value).toBe(2);
  const series = [{ deviceId: 'press-4', metricKey: 'temperature' }];
  const question = { startTime: microsToIso(NOW - HOUR), series, sandbox: body.id };
  const columns = await test.call('POST', '/api/v1/telemetry/query', { token, body: question });
  expect(columns.body.series[0].values).toEqual([2]);
  expect(await ask(body.id)).toBe(2);
  expect(await ask(body.id, foreign)).toBe(404);
  expect(await ask(crypto.randomUUID())).toBe(404);
  expect(await ask('nonsense')).toBe(400);
  const intoLive = await start({ devices: 'all', startTime: '2026-01-01', target: 'live' });
  expect(await ask(intoLive.body.id)).toBe(404);
  await test.call('POST', `/api/v1/jobs/${body.id}/cancel`, { token });
  expect(await ask(body.id)).toBe(404);
  expect(test.sandboxesRemoved).toContain(body.id);
});

it('is counted in the queue', async () => {
  const { body } = await start({ devices: 'all', startTime: '2026-01-01', target: 'sandbox' });
  const paused = await test.call('POST', `/api/v1/jobs/${body.id}/pause`, { token });
  expect(paused.body).toMatchObject({ status: 'paused', secondsLeft: null });
  const { body: stats } = await test.call('GET', '/api/v1/queues/stats', { token });
  expect(stats.queues[0]).toMatchObject({ name: 'telemetry-replay', paused: 1 });
});
