/** HTTP ingest: what is answered with 202 is in the log; forms, receipts, and what is refused. */
import { FieldlineError } from '@fieldline/kit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOW_MS, startApi, type TestApi } from '../../testing/start-api.ts';

const PATH = '/api/v1/webhook/sensor-data';
let test: TestApi;
let organizationId: string;
let apiKey: string;
let deviceId: string;

beforeAll(async () => {
  test = await startApi({ ingestQueueBytesMax: 4_000 });
  organizationId = (await test.catalog.addOrganization('plant')).id;
  const door = test.catalog.scoped({ organizationId, siteIds: null });
  deviceId = (await door.devices.create({ name: 'Press', key: 'press-4' })).device.id;
  apiKey = (await door.apiKeys.create({ name: 'gateway', scopes: ['ingest'] })).key;
});
beforeEach(() => {
  test.beforeAppend = async () => {};
});
afterAll(() => test.stop());

const send = (body: unknown) => test.call('POST', PATH, { apiKey, body });
/** What a request adds to the log. */
async function added(body: unknown): Promise<{ deviceId: string; payload: unknown }[]> {
  const before = (await test.logged()).length;
  const answer = await send(body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return (await test.logged()).slice(before).map(({ deviceId: device, payload }) => ({ deviceId: device, payload }));
}

describe('sensor data', () => {
  it('takes readings of many machines: one record each, with unit, quality and time', async () => {
    const records = await added({
      readings: [
        {
          equipmentId: 'press-4',
          sensorType: 'temperature',
          value: 85.2,
          unit: 'Cel',
          timestamp: '2026-05-01T11:59:00Z',
        },
        { equipmentId: 'unknown-1', sensorType: 'voltage', value: 230 },
        { equipmentId: 'press-4', sensorType: 'vibration', value: 0.3, timestamp: NOW_MS, quality: 'uncertain' },
      ],
    });
    expect(records).toEqual([
      {
        deviceId,
        payload: [
          { ts: '2026-05-01T11:59:00Z', metrics: { temperature: { value: 85.2, unit: 'Cel' } } },
          { ts: NOW_MS, metrics: { vibration: { value: 0.3, quality: 'uncertain' } } },
        ],
      },
      { deviceId: 'unknown-1', payload: { metrics: { voltage: 230 } } },
    ]);
  });

  it.each([
    ['one message', { deviceId: 'press-4', ts: NOW_MS, metrics: { a: 1, b: { value: 2 } } }, 1],
    [
      'a list of messages',
      [
        { deviceId: 'press-4', metrics: { a: 1 } },
        { deviceId: 'x', metrics: { a: 1 } },
      ],
      2,
    ],
    ['one reading', { deviceId: 'press-4', metricKey: 'a', value: true }, 1],
    ['metrics called like the insides of an object', { deviceId: 'x', metrics: { constructor: 1, 'a"b': 2 } }, 1],
  ])('takes %s', async (_, body, records) => {
    expect(await added(body)).toHaveLength(records);
  });

  it.each([
    ['http', {}],
    ['import', { 'x-fieldline-source': 'import' }],
    ['simulator', { 'X-Fieldline-Source': 'simulator' }],
  ])('notes that records came by %s', async (source, headers) => {
    const body = { deviceId: 'press-4', metrics: { a: 1 } };
    expect((await test.call('POST', PATH, { apiKey, body, headers })).status).toBe(202);
    expect((await test.logged()).at(-1)).toMatchObject({ deviceId, source });
  });

  it('refuses what is imported for a machine that is not there, and writes nothing', async () => {
    const before = (await test.logged()).length;
    const headers = { 'x-fieldline-source': 'import' };
    for (const body of [
      [
        { deviceId: 'press-4', metrics: { a: 1 } },
        { deviceId: 'press-5', metrics: { a: 1 } },
      ],
      { readings: [{ equipmentId: 'press-5', sensorType: 'a', value: 1 }] },
    ]) {
      const answer = await test.call('POST', PATH, { apiKey, body, headers });
      expect(answer.status).toBe(404);
      expect(answer.body.detail).toContain('no device "press-5"');
    }
    expect((await test.logged()).length).toBe(before);
  });

  it('refuses a source that a caller cannot be', async () => {
    const body = { deviceId: 'press-4', metrics: { a: 1 } };
    const headers = { 'x-fieldline-source': 'mqtt' };
    const answer = await test.call('POST', PATH, { apiKey, body, headers });
    expect(answer.status).toBe(400);
    expect(answer.body.detail).toContain('headers/x-fieldline-source must be one of "import", "simulator"');
  });

  it('counts and tells readings', async () => {
    const { body } = await send({ deviceId: 'press-4', metrics: { a: 1, b: 2 } });
    expect(body).toMatchObject({ status: 'accepted', readings: 2, organizationId });
  });

  it.each([
    ['nothing', {}],
    ['no readings', { readings: [] }],
    ['a reading without a machine', { readings: [{ sensorType: 'a', value: 1 }] }],
    ['a reading without a metric', { readings: [{ equipmentId: 'a', value: 1 }] }],
    ['a reading without a value', { readings: [{ equipmentId: 'a', sensorType: 'a' }] }],
    ['a value that is an object', { readings: [{ equipmentId: 'a', sensorType: 'a', value: {} }] }],
    ['a value null', { readings: [{ equipmentId: 'a', sensorType: 'a', value: null }] }],
    ['a time that is none', { readings: [{ equipmentId: 'a', sensorType: 'a', value: 1, timestamp: 'noon' }] }],
    ['a time far away', { readings: [{ equipmentId: 'a', sensorType: 'a', value: 1, timestamp: 1e300 }] }],
    ['a metric name of 257 characters', { readings: [{ equipmentId: 'a', sensorType: 'x'.repeat(257), value: 1 }] }],
    [
      '10,001 readings',
      { readings: Array.from({ length: 10_001 }, () => ({ equipmentId: 'a', sensorType: 'a', value: 1 })) },
    ],
    ['a number', 7],
    ['text', '"text"'],
    ['null', 'null'],
    ['JSON cut off', '{"readings":['],
    ['__proto__', '{"__proto__":{"x":1},"deviceId":"a","metrics":{"a":1}}'],
    ['NaN', '{"deviceId":"a","metrics":NaN}'],
  ])('refuses %s and writes nothing', async (_, body) => {
    const before = (await test.logged()).length;
    const { status, body: problem } = await send(body);
    expect(status).toBe(400);
    expect(problem.code).toBe('BAD_REQUEST');
    expect((await test.logged()).length).toBe(before);
  });

  it('names the place of what is wrong', async () => {
    const readings = [
      { equipmentId: 'a', sensorType: 'a', value: 1 },
      { equipmentId: 'a', sensorType: 'a', value: {} },
    ];
    const { body } = await send({ readings });
    expect(body.errors[0].path).toBe('body/readings/1/value');
  });

  it.each([
    ['{"deviceId":"press-4","metrics":{"__proto__":1}}', 'body/metrics/__proto__'],
    ['[{"deviceId":"press-4","metrics":{"a":{"\\u005f_proto__":{"value":1}}}}]', 'body/0/metrics/a/__proto__'],
    ['{"constructor":{"prototype":{"metrics":{"a":1}}}}', 'body/constructor'],
  ])('says which key is the matter in %s', async (body, path) => {
    const { errors, detail } = (await send(body)).body;
    expect(errors[0].path).toBe(path);
    expect(detail).toContain('is a key that is not taken');
  });

  it('takes a reading whose metric is called __proto__', async () => {
    const records = await added({ readings: [{ deviceId: 'press-4', metricKey: '__proto__', value: 1 }] });
    expect(JSON.stringify(records[0]!.payload)).toBe('{"metrics":{"__proto__":1}}');
  });

  it('refuses a body that is too large, and one that is not JSON', async () => {
    expect((await send({ deviceId: 'a', metrics: { a: 'x'.repeat(1024 * 1024) } })).status).toBe(413);
    const headers = { 'content-type': 'text/csv' };
    expect((await test.call('POST', PATH, { apiKey, body: 'a,b', headers })).status).toBe(415);
  });
});

describe('the answer', () => {
  it('comes only when the records are durable', async () => {
    const gate = Promise.withResolvers<void>();
    test.beforeAppend = () => gate.promise;
    let answered = false;
    const answer = send({ deviceId: 'press-4', metrics: { durable: 1 } }).finally(() => {
      answered = true;
    });
    await test.call('GET', '/health/live');
    await test.call('GET', '/health/live');
    expect(answered).toBe(false);
    gate.resolve();
    expect((await answer).status).toBe(202);
  });

  it('is 5xx where the log fails, and the next request works', async () => {
    test.beforeAppend = () => Promise.reject(new Error('disk of /secret/path'));
    const { status, body } = await send({ deviceId: 'press-4', metrics: { a: 1 } });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
    test.beforeAppend = async () => {};
    expect((await send({ deviceId: 'press-4', metrics: { a: 1 } })).status).toBe(202);
  });

  it('is 503 where the disk is full, without the names of files, and says when to come again', async () => {
    test.beforeAppend = () => Promise.reject(new FieldlineError('DISK_FULL', 'writing to /secret/path: no space left'));
    const { status, body, headers } = await send({ deviceId: 'press-4', metrics: { a: 1 } });
    test.beforeAppend = async () => {};
    expect(status).toBe(503);
    expect(body.code).toBe('DISK_FULL');
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(headers.get('retry-after')).toBe('1');
  });

  it('gathers requests that come during an append into the next one', async () => {
    const gate = Promise.withResolvers<void>();
    test.beforeAppend = () => gate.promise;
    const before = test.appends;
    const first = send({ deviceId: 'press-4', metrics: { a: 0 } });
    while (test.appends === before) await test.call('GET', '/health/live');
    const others = Array.from({ length: 20 }, (_, n) => send({ deviceId: 'press-4', metrics: { a: n } }));
    // They are in when the queue says so; the metrics page tells.
    for (let bytes = 0; bytes < 20 * 17; ) {
      const page = (await test.call('GET', '/metrics')).body as string;
      bytes = Number(/^api_ingest_queue_bytes (\d+)/m.exec(page)![1]) - 17;
    }
    gate.resolve();
    const answers = await Promise.all([first, ...others]);
    expect(answers.every(({ status }) => status === 202)).toBe(true);
    expect(test.appends).toBe(before + 2);
  });

  it('is 429 with Retry-After where too much waits, and nothing of it is taken', async () => {
    const gate = Promise.withResolvers<void>();
    test.beforeAppend = () => gate.promise;
    const before = test.appends;
    const held = send({ deviceId: 'press-4', metrics: { a: 'x'.repeat(3_000) } });
    while (test.appends === before) await test.call('GET', '/health/live');
    const refused = await send({ deviceId: 'press-4', metrics: { a: 'y'.repeat(2_000) } });
    expect(refused.status).toBe(429);
    expect(refused.body.code).toBe('OVERLOADED');
    expect(refused.headers.get('retry-after')).toBe('1');
    gate.resolve();
    expect((await held).status).toBe(202);
    expect(JSON.stringify(await test.logged())).not.toContain('yyy');
  });

  it('has a receipt that turns to processed when the pipeline has passed it', async () => {
    const { body } = await send({ deviceId: 'press-4', metrics: { a: 1 } });
    const next = (await test.log.bounds('telemetry.raw'))[0]!.next;
    test.stored = [{ partition: 0, next: next - 1 }];
    const status = async () => (await test.call('GET', body.statusUrl, { apiKey })).body.status;
    expect(await status()).toBe('accepted');
    test.stored = [{ partition: 0, next }];
    expect(await status()).toBe('processed');
  });

  it.each(['x', 'W10', Buffer.from('{"a":1}').toString('base64url')])('knows no receipt %s', async (id) => {
    expect((await test.call('GET', `/api/v1/webhook/status/${id}`, { apiKey })).status).toBe(404);
  });

  it('is 401 as soon as the key is revoked', async () => {
    const door = test.catalog.scoped({ organizationId, siteIds: null });
    const made = await door.apiKeys.create({ name: 'short', scopes: ['ingest'] });
    const body = { deviceId: 'press-4', metrics: { a: 1 } };
    expect((await test.call('POST', PATH, { apiKey: made.key, body })).status).toBe(202);
    await door.apiKeys.revoke(made.apiKey.id);
    expect((await test.call('POST', PATH, { apiKey: made.key, body })).status).toBe(401);
  });
});
