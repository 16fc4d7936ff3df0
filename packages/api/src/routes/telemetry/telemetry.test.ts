/** Reading telemetry over a real socket: pages, cursors, roll-ups, columns, latest values, and what is refused. */
import type { Device } from '@fieldline/catalog';
import { isoToMicros, MICROS_PER_MINUTE, MICROS_PER_SECOND, microsToIso } from '@fieldline/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW_MS, startApi, type TestApi } from '../../testing/start-api.ts';

const NOW = NOW_MS * 1000;
let test: TestApi;
let device: Device;
let token: string;

beforeAll(async () => {
  test = await startApi();
  const { id } = await test.catalog.addOrganization('plant');
  ({ device } = await test.catalog
    .scoped({ organizationId: id, siteIds: null })
    .devices.create({ name: 'Press', key: 'press-4' }));
  token = await test.tokenFor(id, 'viewer');
  const temperature = await test.catalog.addSeries(device, 'temperature', 'Cel');
  const pressure = await test.catalog.addSeries(device, 'motor.pressure', 'bar');
  const state = await test.catalog.addSeries(device, 'motor.state');
  const odd = await test.catalog.addSeries(device, 'a,b');
  const times = Array.from({ length: 60 }, (_, n) => NOW - (60 - n) * MICROS_PER_SECOND);
  test.store.put(
    temperature.id,
    times.map((time, n) => [time, n] as const),
  );
  test.store.put(
    pressure.id,
    times.map((time, n) => [time, n * 10] as const),
  );
  test.store.put(state.id, [[NOW - 5 * MICROS_PER_SECOND + 7, 'RUNNING']]);
  test.store.put(odd.id, [[NOW - 1, 1]]);
});
afterAll(() => test.stop());

const path = () => `/api/v1/telemetry/device/${device.id}`;
const get = (query: string, from = path()) => test.call('GET', `${from}?${query}`, { token });

describe('a range', () => {
  it('gives samples with time and quality, by id or by key', async () => {
    const start = encodeURIComponent(microsToIso(NOW - 3 * MICROS_PER_SECOND));
    const byId = await get(`metricKey=temperature&startTime=${start}`);
    expect(byId.body).toMatchObject({ deviceId: device.id, metricKey: 'temperature', aggregation: 'none', count: 3 });
    expect(byId.body.data[0]).toEqual({ timestamp: '2026-05-01T11:59:57.000Z', value: 57, quality: 'good' });
    const byKey = await get(`metricKey=temperature&startTime=${start}`, '/api/v1/telemetry/device/press-4');
    expect(byKey.body).toEqual(byId.body);
  });

  it.each([
    ['repeated', 'metricKey=temperature&metricKey=motor.state', ['temperature', 'motor.state'], 61],
    ['separated by commas', 'metricKey=temperature,motor.state', ['temperature', 'motor.state'], 61],
    ['with a comma in the name', 'metricKey=a%2Cb', ['a,b'], 1],
    ['not named: all', '', ['temperature', 'motor.pressure', 'motor.state', 'a,b'], 122],
    ['never sent', 'metricKey=humidity', ['humidity'], 0],
  ])('takes metrics %s', async (_, query, metricKeys, count) => {
    const { body } = await get(query);
    expect(body).toMatchObject({ metricKeys, count });
    if (count > 1) expect(body.data.every((point: object) => 'metricKey' in point)).toBe(metricKeys.length > 1);
  });

  it.each([1, 7, 60, 61, 200])('gives every point once and in order in pages of %i', async (limit) => {
    const points: { timestamp: string; metricKey: string; value: unknown }[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const { body } = await get(`limit=${limit}&metricKey=temperature,motor.pressure,motor.state${cursor}`);
      expect(body.data.length).toBeLessThanOrEqual(limit);
      points.push(...body.data);
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
      pages += 1;
    } while (cursor !== '');
    expect(points).toHaveLength(121);
    expect(new Set(points.map(({ timestamp, metricKey }) => `${timestamp} ${metricKey}`)).size).toBe(121);
    const times = points.map(({ timestamp }) => isoToMicros(timestamp));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(pages).toBe(Math.ceil(121 / limit));
  });

  it('gives roll-ups', async () => {
    const { body } = await get('metricKey=temperature&aggregation=1m');
    expect(body.data).toEqual([
      {
        timestamp: '2026-05-01T11:59:00.000Z',
        avg: 29.5,
        min: 0,
        max: 59,
        stddev: expect.closeTo(17.46, 1),
        count: 60,
        first: 0,
        last: 59,
        percentGood: 100,
      },
    ]);
  });

  it.each([
    ['10 minutes', 10, 1000, 'none'],
    ['an hour', 60, 1000, '10s'],
    ['a day', 24 * 60, 1000, '5m'],
    ['a year', 365 * 24 * 60, 1000, '1d'],
  ])('chooses for %s', async (_, minutes, limit, aggregation) => {
    const startTime = NOW_MS - minutes * 60_000;
    const { body } = await get(`metricKey=temperature&aggregation=auto&limit=${limit}&startTime=${startTime}`);
    expect(body.aggregation).toBe(aggregation);
  });

  it('speaks the words of robot fleets', async () => {
    const robots = '/api/v1/robots/press-4/telemetry';
    const from = NOW_MS - 60_000;
    const sensor = await get(`sensor_type=motor&from=${from}&resolution=1min`, robots);
    expect(sensor.body).toMatchObject({ aggregation: '1m', metricKeys: ['motor.pressure', 'motor.state'] });
    const raw = await get(`sensor_type=temperature&from=${from}&to=${NOW_MS}&resolution=raw`, robots);
    expect(raw.body).toMatchObject({ aggregation: 'none', metricKey: 'temperature', count: 60 });
  });

  it.each([
    ['a word for a time', 'startTime=yesterday', 'query/startTime'],
    ['30 February', 'startTime=2026-02-30', 'query/startTime'],
    ['an end before the start', 'startTime=2026-05-02&endTime=2026-05-01', 'query/startTime'],
    ['a time before 1970', 'startTime=-5000000', 'query/startTime'],
    ['limit 0', 'limit=0', 'query/limit'],
    ['limit 10,001', 'limit=10001', 'query/limit'],
    ['limit NaN', 'limit=NaN', 'query/limit'],
    ['an unknown aggregation', 'aggregation=2h', 'query/aggregation'],
    ['a cursor of somebody else', 'cursor=abc', 'query/cursor'],
    ['a cursor with nonsense', `cursor=${Buffer.from('[1,2,3]').toString('base64url')}`, 'query/cursor'],
    ['a time zone that is none', 'aggregation=1d&timeZone=Mars/Olympus', 'query/timeZone'],
    ['an unknown parameter', 'metrickey=x', 'query/metrickey'],
    ['an empty parameter', 'startTime=', 'query/startTime'],
  ])('refuses %s', async (_, query, place) => {
    const { status, body } = await get(query);
    expect(status).toBe(400);
    expect(JSON.stringify(body.errors)).toContain(place.split('/')[1]);
  });
});

describe('latest', () => {
  it('gives each metric with unit and quality, and the live status', async () => {
    test.statuses.set(device.id, { status: 'online', since: NOW, lastSeen: NOW });
    const { body } = await test.call('GET', `${path()}/latest`, { token });
    expect(body).toMatchObject({ deviceId: device.id, status: 'online', lastSeen: '2026-05-01T12:00:00.000Z' });
    expect(body.metrics.temperature).toEqual({
      value: 59,
      timestamp: '2026-05-01T11:59:59.000Z',
      quality: 'good',
      unit: 'Cel',
    });
    expect(body.metrics['motor.state'].value).toBe('RUNNING');
  });

  it('is empty for a device that has sent nothing, also before the directory knows it', async () => {
    const door = test.catalog.scoped({ organizationId: device.organizationId, siteIds: null });
    const { device: quiet } = await door.devices.create({ name: 'quiet' });
    test.catalog.directory.apply({
      version: test.catalog.directory.version + 1,
      kind: 'device-removed',
      deviceId: quiet.id,
    });
    const { body } = await test.call('GET', `/api/v1/telemetry/device/${quiet.id}/latest`, { token });
    expect(body).toEqual({ deviceId: quiet.id, metrics: {}, lastSeen: null, status: 'unknown' });
  });
});

describe('columns for charts', () => {
  const ask = (body: object) => test.call('POST', '/api/v1/telemetry/query', { token, body });
  const series = () => [
    { deviceId: 'press-4', metricKey: 'temperature' },
    { deviceId: device.id, metricKey: 'motor.state' },
    { deviceId: device.id, metricKey: 'never' },
  ];

  it('gives the series in the order of the question, reduced', async () => {
    const { body } = await ask({ startTime: microsToIso(NOW - MICROS_PER_MINUTE), series: series(), points: 30 });
    expect(body.aggregation).toBe('none');
    const [temperature, state, never] = body.series;
    expect(temperature.timestamps).toHaveLength(30);
    expect(temperature).toMatchObject({ kind: 'samples', deviceId: device.id, unit: 'Cel' });
    expect(temperature.timestamps[0]).toBe(NOW_MS - 60_000);
    expect(state.values).toEqual(['RUNNING']);
    expect(state.timestamps).toEqual([NOW_MS - 5_000 + 0.007]);
    expect(never).toMatchObject({ kind: 'samples', timestamps: [], values: [] });
  });

  it('gives roll-ups for a long range', async () => {
    const { body } = await ask({ startTime: '2026-04-30', series: series(), points: 1000 });
    expect(body.aggregation).toBe('5m');
    expect(body.series[0]).toMatchObject({ kind: 'buckets', min: [0], max: [59], count: [60] });
    expect(body.series[1].avg).toEqual([null]);
  });

  it.each([
    ['no series', { startTime: '2026-05-01', series: [] }],
    ['no start', { series: [{ deviceId: 'press-4', metricKey: 'a' }] }],
    ['points as text', { startTime: '2026-05-01', points: '100', series: [{ deviceId: 'press-4', metricKey: 'a' }] }],
    ['a list', []],
    [
      'more roll-ups than anybody can look at',
      { startTime: '2020-01-01', aggregation: '1s', series: [{ deviceId: 'press-4', metricKey: 'a' }] },
    ],
  ])('refuses %s', async (_, body) => {
    expect((await ask(body)).status).toBe(400);
  });
});
