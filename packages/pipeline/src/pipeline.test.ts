/** The runner over a log and a store in memory: restarts, faults, poison, late data, replay. */
import { FieldlineError } from '@fieldline/kit';
import type { SampleBatch } from '@fieldline/model';
import { afterEach, expect, test } from 'vitest';
import { replayedRecord } from './dead-letters/dead-letter.ts';
import type { PipelineOptions } from './options.ts';
import type { Pipeline } from './pipeline.ts';
import {
  AUTO_ORGANIZATION,
  device,
  deviceChange,
  origin,
  Plant,
  record,
  series,
  T0,
  type TestRecord,
  until,
} from './testing.ts';

const pump = origin('pump');
const running: Pipeline[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((pipeline) => pipeline.stop()));
});

/** A plant with one pump that has the series 1 = temp. */
function plant(options: Partial<PipelineOptions> = {}): Plant {
  return new Plant([device('pump'), device('robot')], [series(1, 'pump', 'temp')], options);
}

async function started(of: Plant): Promise<Pipeline> {
  const pipeline = of.pipeline();
  running.push(pipeline);
  await pipeline.start();
  return pipeline;
}

/** temp = value at T0 + time µs. */
function temp(time: number, value: number, from = pump): TestRecord {
  return record(from, { ts: (T0 + time) / 1000, metrics: { temp: value } });
}

const storedAll = (of: Plant) => (): boolean => of.sink.next === of.source.records.length;

test('samples are stored with the position in one transaction; new series are defined before', async () => {
  const of = plant();
  of.source.append([temp(0, 1), record(pump, { metrics: { temp: 2, speed: 3 } }, T0 + 5000)]);
  await of.runThrough();
  expect(of.sink.valuesOf(1)).toEqual({ 0: 1, 5000: 2 });
  expect(of.sink.valuesOf(of.registry.idOf('pump', 'speed'))).toEqual({ 5000: 3 });
  expect([...of.sink.defined.values()].map(({ metricKey }) => metricKey)).toEqual(['speed']);
  expect(of.letters()).toEqual([]);
});

test('new metrics of many records are registered in one call', async () => {
  const of = plant();
  of.source.append([record(pump, { metrics: { a: 1 } }), record(origin('robot'), { metrics: { a: 1, b: 2 } })]);
  await of.runThrough();
  expect(of.registry.requests.map((requests) => requests.length)).toEqual([3]);
});

test('after a crash it goes on from the stored position, and nothing is there twice', async () => {
  const of = plant();
  of.source.append([temp(0, 1), temp(1000, 2)]);
  await of.runThrough();
  of.source.append([temp(2000, 3)]);
  await of.runThrough();
  expect(of.sink.rows.map(({ value }) => value)).toEqual([1, 2, 3]);
  expect(of.sink.epoch).toBe(2);
});

test('a crash between dead letter and commit repeats the letter, under the same position and reason', async () => {
  const of = plant();
  of.source.append([record(pump, Buffer.from('{')), temp(0, 1)]);
  of.sink.fault = () => {
    throw new FieldlineError('UNAVAILABLE', 'disk away');
  };
  const crashed = of.pipeline();
  await crashed.start();
  await until(() => of.letters().length === 1);
  await crashed.stop();
  expect(of.sink.next).toBe(0);
  of.sink.fault = () => {};
  await of.runThrough();
  expect(of.letters().map(({ originalPosition, code }) => `${originalPosition} ${code}`)).toEqual([
    '0 PAYLOAD_NOT_DECODABLE',
    '0 PAYLOAD_NOT_DECODABLE',
  ]);
  expect(of.sink.valuesOf(1)).toEqual({ 0: 1 });
});

test('a store that fails for a while is tried again; what was gathered meanwhile follows in order', async () => {
  const of = plant();
  let failures = 2;
  of.sink.fault = () => {
    if (failures-- > 0) throw new FieldlineError('UNAVAILABLE', 'busy');
  };
  of.source.append([temp(0, 1)]);
  await started(of);
  of.source.append([temp(1, 2), temp(2, 3)]);
  await until(storedAll(of));
  expect(of.sink.rows.map(({ value }) => value)).toEqual([1, 2, 3]);
});

test('a store that stays away opens the circuit breaker, which closes by itself', async () => {
  const of = plant({ settings: { breakerFailures: 2 } });
  let isAway = true;
  const away = (): void => {
    if (isAway) throw new FieldlineError('DISK_FULL', 'no space left');
  };
  of.sink.fault = away;
  of.source.append([temp(0, 1)]);
  const pipeline = await started(of);
  await until(() => pipeline.health().problem?.includes('no space left') ?? false);
  expect(pipeline.health().ready).toBe(false);
  expect((await pipeline.statistics()).circuitBreaker).toMatchObject({ reason: 'no space left' });
  expect((await pipeline.statistics()).lagRecords).toBe(1);
  isAway = false;
  await until(storedAll(of));
  await until(() => pipeline.health().ready);
  expect((await pipeline.statistics()).circuitBreaker).toEqual({ state: 'closed', since: null, reason: null });
  expect(of.letters()).toEqual([]);
});

test('while the store is away no more than two transactions are read ahead', async () => {
  const of = plant({ settings: { readBytesMax: 1, samplesPerTransactionMax: 1 } });
  let open = (): void => {};
  of.sink.gate = new Promise((resolve) => {
    open = resolve;
  });
  of.source.append(Array.from({ length: 50 }, (_, at) => temp(at * 1000, at)));
  const read: number[] = [];
  const { read: reads } = of.source;
  of.source.read = (partition, from, options) => {
    read.push(from);
    return reads.call(of.source, partition, from, options);
  };
  await started(of);
  await until(() => read.length >= 2);
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toEqual([0, 1]);
  open();
  await until(storedAll(of));
});

test.each([
  ['with a reason', new FieldlineError('VALUE_NOT_ACCEPTED', 'NaN in a column')],
  ['without a meaning', new RangeError('out of bounds')],
  ['that looks like a passing one', new FieldlineError('UNAVAILABLE', 'appending failed')],
])('a record that the store refuses %s becomes a dead letter; all others are stored', async (_, error) => {
  const of = plant();
  of.sink.fault = (batch: SampleBatch) => {
    if (batch.value.subarray(0, batch.count).includes(13)) throw error;
  };
  of.source.append(Array.from({ length: 20 }, (_, at) => temp(at, at)));
  await of.runThrough();
  expect(of.sink.rows.map(({ value }) => value)).toEqual([...Array(20).keys()].filter((at) => at !== 13));
  expect(of.letters().map(({ originalPosition, code, partial }) => [originalPosition, code, partial])).toEqual([
    [13, 'VALUE_NOT_ACCEPTED', false],
  ]);
  expect(Buffer.from(of.letters()[0]!.payload).toString()).toContain('"temp":13');
});

test('a store that is away altogether makes no dead letters, however it says so', async () => {
  const of = plant();
  let attempts = 0;
  of.sink.fault = () => {
    attempts += 1;
    throw new Error('fatal');
  };
  of.source.append([temp(0, 1), temp(1, 2)]);
  const pipeline = await started(of);
  of.sink.acquireFault = () => {
    throw new Error('fatal');
  };
  await until(() => attempts >= 6);
  expect(of.letters()).toEqual([]);
  of.sink.fault = () => {};
  await until(storedAll(of));
  expect(pipeline.health().ready).toBe(true);
});

test('a writer that has lost the partition stops and says so', async () => {
  const of = plant();
  const pipeline = await started(of);
  await of.sink.acquire('telemetry.raw', 0);
  of.source.append([temp(0, 1)]);
  await until(() => pipeline.health().problem?.includes('another writer') ?? false);
  expect(of.sink.rows).toEqual([]);
});

test('a commit whose answer was lost is not repeated', async () => {
  const of = plant();
  let isLost = true;
  const { append } = of.sink;
  of.sink.append = async (batch, position) => {
    await append.call(of.sink, batch, position);
    if (isLost) {
      isLost = false;
      throw new FieldlineError('TIMEOUT', 'no answer');
    }
  };
  of.source.append([temp(0, 1)]);
  await of.runThrough();
  expect(of.sink.rows).toHaveLength(1);
});

test('what retention has deleted unread is passed over', async () => {
  const of = plant();
  of.source.append([temp(0, 1), temp(1, 2), temp(2, 3)]);
  of.source.first = 2;
  await of.runThrough();
  expect(of.sink.valuesOf(1)).toEqual({ 2: 3 });
});

test('late and corrected samples do not become the newest value', async () => {
  const of = plant();
  of.source.append([temp(100, 1), temp(50, 2), temp(70, 3), temp(100, 4)]);
  const pipeline = await of.runThrough();
  expect(pipeline.latest([1])).toMatchObject([{ sourceTime: T0 + 100, value: 4 }]);
  expect(of.sink.valuesOf(1)).toEqual({ 50: 2, 70: 3, 100: 4 });
});

test('newest values and last-seen times are there after a restart; late data do not replace them', async () => {
  const of = plant();
  of.source.append([temp(100, 1)]);
  await of.runThrough();
  of.seen.clear();
  const pipeline = await started(of);
  expect(pipeline.latest()).toMatchObject([{ seriesId: 1, sourceTime: T0 + 100, value: 1 }]);
  expect(of.seen.get('pump')).toBe(T0);
  of.source.append([temp(40, 2)]);
  await until(storedAll(of));
  expect(pipeline.latest()).toMatchObject([{ seriesId: 1, sourceTime: T0 + 100, value: 1 }]);
});

test('messages without a time that came in together are all kept', async () => {
  const of = plant();
  of.source.append([1, 2, 3].map((value) => record(pump, { metrics: { temp: value } })));
  await of.runThrough();
  expect(of.sink.valuesOf(1)).toEqual({ 0: 1, 1: 2, 2: 3 });
});

test('a metric that is refused leaves the rest of its record stored, and one partial dead letter', async () => {
  const of = plant();
  of.source.append([record(pump, { ts: T0 / 1000, metrics: { temp: 1, bad: null, worse: { a: 1 } } })]);
  await of.runThrough();
  expect(of.sink.valuesOf(1)).toEqual({ 0: 1 });
  expect(of.letters().map(({ partial, rejections }) => [partial, rejections.map(({ metric }) => metric)])).toEqual([
    [true, ['bad', 'worse']],
  ]);
});

test('a device at its limit of series: known metrics go on, new ones are dead letters and not asked for each time', async () => {
  const of = plant({ settings: { readBytesMax: 1 } });
  of.registry.limit = 1;
  of.source.append([1, 2, 3].map((at) => record(pump, { ts: (T0 + at) / 1000, metrics: { temp: at, extra: at } })));
  await of.runThrough();
  expect(of.sink.valuesOf(1)).toEqual({ 1: 1, 2: 2, 3: 3 });
  expect(of.letters().map(({ code, partial }) => `${code} ${partial}`)).toEqual(Array(3).fill('SERIES_LIMIT true'));
  expect(of.registry.requests).toHaveLength(1);
});

test('one series that the catalog refuses does not hold up the others', async () => {
  const of = plant();
  of.registry.fault = (requests) => {
    if (requests.some(({ metricKey }) => metricKey === 'odd')) throw new FieldlineError('BAD_REQUEST', 'odd name');
  };
  of.source.append([record(pump, { ts: T0 / 1000, metrics: { a: 1, odd: 2, b: 3, temp: 4 } })]);
  await of.runThrough();
  expect(of.sink.rows.map(({ value }) => value)).toEqual([1, 3, 4]);
  expect(of.letters()[0]?.rejections).toMatchObject([{ metric: 'odd', code: 'METRIC_KEY_INVALID' }]);
});

test('a catalog that is away for a while is waited for, and health says so', async () => {
  const of = plant();
  let isAway = true;
  of.registry.fault = () => {
    if (isAway) throw new FieldlineError('UNAVAILABLE', 'catalog away');
  };
  of.source.append([record(pump, { metrics: { fresh: 1 } })]);
  const pipeline = await started(of);
  await until(() => pipeline.health().problem?.includes('catalog away') ?? false);
  isAway = false;
  await until(storedAll(of));
  expect(pipeline.health().ready).toBe(true);
});

test('unknown devices register themselves where the organisation wants it; what is refused is a dead letter', async () => {
  const from = (id: string): TestRecord['origin'] =>
    origin(id, { organizationId: AUTO_ORGANIZATION.id, topic: `v1/telemetry/south/${id}` });
  const of = plant({
    registerDevice: async (organizationId, key, gatewayId) => {
      if (key === 'bad key') throw new FieldlineError('BAD_REQUEST', 'no device key');
      return device(`auto-${key}`, { organizationId, key, gatewayId });
    },
  });
  of.source.append([
    temp(0, 1, from('new')),
    temp(1, 2, from('bad key')),
    temp(2, 3, from('new')),
    temp(3, 4, origin('ghost')),
  ]);
  await of.runThrough();
  expect(of.sink.valuesOf(of.registry.idOf('auto-new', 'temp'))).toEqual({ 0: 1, 2: 3 });
  expect(of.letters().map(({ originalPosition, code }) => `${originalPosition} ${code}`)).toEqual([
    '1 DEVICE_UNKNOWN',
    '3 DEVICE_UNKNOWN',
  ]);
});

test('a replay brings what was refused, keeps its version, and undoes no correction that came later', async () => {
  const of = plant();
  of.source.append([temp(0, 1, origin('late')), temp(1, 2, origin('late'))]);
  const pipeline = await started(of);
  await until(() => of.letters().length === 2);
  pipeline.applyDirectory([deviceChange(2, device('late'))]);
  of.source.append([temp(1, 20, origin('late'))]);
  await until(storedAll(of));
  of.source.append(of.letters().map(replayedRecord));
  await until(storedAll(of));
  const id = of.registry.idOf('late', 'temp');
  expect(of.sink.valuesOf(id)).toEqual({ 0: 1, 1: 20 });
  expect(of.sink.rows.map(({ value, version }) => [value, version])).toEqual([
    [20, 2],
    [1, 0],
    [2, 1],
  ]);
  expect(pipeline.latest([id])).toMatchObject([{ value: 20 }]);
});

test('a replay that fails again is a new dead letter of the same first position', async () => {
  const of = plant();
  of.source.append([temp(0, 1, origin('ghost'))]);
  await of.runThrough();
  of.source.append([temp(1, 1), replayedRecord(of.letters()[0]!)]);
  await of.runThrough();
  expect(of.letters().map(({ originalPosition, receivedTime }) => [originalPosition, receivedTime])).toEqual([
    [0, T0],
    [0, T0],
  ]);
});

test('live frames leave before the store has taken the samples', async () => {
  const of = plant();
  let open = (): void => {};
  of.sink.gate = new Promise((resolve) => {
    open = resolve;
  });
  const pipeline = await started(of);
  pipeline.setLiveInterest({ devices: ['pump'], sites: [], organizations: [] });
  of.source.append([temp(0, 7)]);
  await until(() => of.frames.length > 0);
  expect([of.frames[0]!.value, of.sink.rows]).toEqual([[7], []]);
  open();
  await until(storedAll(of));
});

test('a stop stores what has been read; stop twice is fine', async () => {
  const of = plant({ settings: { transactionIntervalMs: 60_000 } });
  const pipeline = await started(of);
  pipeline.setLiveInterest({ devices: ['pump'], sites: [], organizations: [] });
  of.source.append([temp(0, 1)]);
  await until(() => of.frames.length > 0);
  await Promise.all([pipeline.stop(), pipeline.stop()]);
  expect(of.sink.valuesOf(1)).toEqual({ 0: 1 });
  expect(pipeline.storedPositions()).toEqual([{ partition: 0, next: 1 }]);
});
