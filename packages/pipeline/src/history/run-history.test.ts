/** Runs over a log's history: into the live store nothing is doubled or undone, into sandboxes it is the same each time, whatever cuts it off. */
import { FieldlineError, systemClock } from '@fieldline/kit';
import { type LoggedBatch, rawBatchOf } from '@fieldline/model';
import { afterEach, expect, test } from 'vitest';
import {
  AUTO_ORGANIZATION,
  device,
  MemorySink,
  origin,
  Plant,
  record,
  series,
  T0,
  type TestRecord,
} from '../testing.ts';
import type { HistoryCheckpoint, HistoryOptions } from './history.ts';
import { progressOf } from './history.ts';
import { EVERYTHING, type Run, rowsOf, runOf } from './testing.ts';

const DEVICES = [device('a'), device('b'), device('c', { organizationId: AUTO_ORGANIZATION.id })];
const MS = 1000;
let plant: Plant;

afterEach(() => {
  plant.source.first = 0;
});

/** Timed, untimed and text samples of two devices, a correction, a foreign record and one that nobody can read. */
function records(count: number): TestRecord[] {
  const foreign = origin('c', { organizationId: AUTO_ORGANIZATION.id, topic: 'v1/telemetry/south/c' });
  return Array.from({ length: count }, (_, n) => {
    // Ten come in together, so that samples without a time are told apart by a microsecond.
    const received = T0 + Math.floor(n / 10) * 10 * MS;
    if (n % 17 === 3) return record(foreign, { metrics: { value: n } }, received);
    if (n % 23 === 5) return record(origin('a'), Buffer.from('{no'), received);
    if (n % 3 === 0) return record(origin('a'), { metrics: { level: n, state: `s${n}` } }, received);
    const ts = (T0 + (n - (n % 4 === 0 ? 4 : 0)) * MS) / 1000;
    return record(origin(n % 2 === 0 ? 'a' : 'b'), { ts, metrics: { temp: n, speed: n / 2 } }, received);
  });
}

async function filled(count = 400): Promise<Plant> {
  plant = new Plant(DEVICES);
  plant.source.append(records(count));
  await plant.runThrough();
  return plant;
}

const run = (
  more: Partial<HistoryOptions> = {},
  sink?: MemorySink,
  signal?: AbortSignal,
  damaged?: (from: number) => Promise<LoggedBatch | null>,
): Promise<Run> => runOf(plant, DEVICES, more, sink, signal, damaged);
const intoLive = () => Object.assign(new MemorySink(), { samples: plant.sink.samples });

test('into the live store: the same samples, at the same versions, and an account of what was refused', async () => {
  const { sink, registry } = await filled();
  const before = rowsOf(sink);
  const { end } = await run({}, intoLive());
  expect(rowsOf(sink)).toEqual(before);
  const foreign = [...registry.made.values()].filter(({ subjectId }) => subjectId === 'c').map(({ id }) => id);
  const own = before.filter(([, sample]) => !foreign.includes(sample.seriesId));
  expect(end.counts.samples).toBeGreaterThanOrEqual(own.length);
  expect(end.counts).toMatchObject({ recordsRead: 400, records: 400 - 24, recordsMissing: 0, recordsDeleted: 0 });
  expect(end.counts.refused).toEqual({ PAYLOAD_NOT_DECODABLE: plant.letters().length });
  expect(progressOf(end)).toEqual({ done: 400, total: 400 });
});

test('a correction that came later stays', async () => {
  plant = new Plant(DEVICES);
  const at = (value: number, ms: number) =>
    record(origin('a'), { ts: T0 / MS, metrics: { temp: value } }, T0 + ms * MS);
  plant.source.append([at(1, 0), at(2, 1), at(3, 2)]);
  await plant.runThrough();
  await run({ selection: { ...EVERYTHING, to: T0 + 2 * MS } }, intoLive());
  expect(plant.sink.valuesOf(plant.registry.idOf('a', 'temp'))).toEqual({ 0: 3 });
});

test('two sandboxes hold the same, column by column, and what the live store holds of this organisation', async () => {
  await filled();
  const first = await run();
  const second = await run();
  expect(rowsOf(second.sink)).toEqual(rowsOf(first.sink));
  expect(second.end).toEqual(first.end);
  const foreign = [...plant.registry.made.values()].find(({ subjectId }) => subjectId === 'c')!.id;
  expect(rowsOf(first.sink)).toEqual(rowsOf(plant.sink).filter(([, sample]) => sample.seriesId !== foreign));
});

test('cut off at any transaction and run again from any older checkpoint, it leaves the same', async () => {
  await filled(300);
  const whole = await run();
  for (let cut = 1; cut <= 12; cut++) {
    const stop = new AbortController();
    const sink = new MemorySink();
    let checkpoint: HistoryCheckpoint | null = null;
    let stored = 0;
    const clock = { ...systemClock, monotonicMs: () => stored * 300 };
    sink.fault = () => {
      stored += 1;
      if (stored === cut) stop.abort();
      if (stored >= cut) throw new FieldlineError('UNAVAILABLE', 'killed');
    };
    const pieces = { speed: 1e6, loadPercentMax: 100, liveLag: async () => 0, liveLagMax: 1 };
    const onProgress = async (progress: HistoryCheckpoint) => {
      checkpoint = structuredClone(progress);
    };
    await run({ pace: pieces, onProgress, clock }, sink, stop.signal);
    sink.fault = () => {};
    const { end } = await run({ checkpoint }, sink);
    expect([cut, rowsOf(sink)]).toEqual([cut, rowsOf(whole.sink)]);
    expect([cut, end]).toEqual([cut, whole.end]);
  }
});

test('takes the devices and the time that were asked for, as they were stored live', async () => {
  await filled();
  const from = T0 + 105 * MS;
  const to = T0 + 250 * MS;
  const { sink, end } = await run({ selection: { ...EVERYTHING, deviceIds: ['a'], from, to } });
  const ids = [...plant.registry.made.values()].filter(({ subjectId }) => subjectId === 'a').map(({ id }) => id);
  const live = [...plant.sink.samples.values()].filter(
    ({ seriesId, receivedTime }) => ids.includes(seriesId) && receivedTime >= from && receivedTime < to,
  );
  expect(live.length).toBeGreaterThan(20);
  expect(rowsOf(sink).map(([, sample]) => sample)).toEqual(
    expect.arrayContaining(live.map((sample) => expect.objectContaining(sample))),
  );
  expect(sink.samples.size).toBe(live.length);
  expect(end.counts.records).toBeLessThan(145);
});

test('brings what was missing once the cause is mended', async () => {
  plant = new Plant([device('b')]);
  plant.source.append(records(100));
  await plant.runThrough();
  expect(plant.registry.made.has('a/temp')).toBe(false);
  await run({}, intoLive());
  const values = plant.sink.valuesOf(plant.registry.idOf('a', 'temp'));
  expect(Object.keys(values).length).toBeGreaterThan(10);
});

test('tells what retention has deleted, before and while it runs', async () => {
  await filled(100);
  plant.source.first = 50;
  const { end } = await run();
  expect(end.counts).toMatchObject({ recordsRead: 50, recordsDeleted: 0, oldestReceivedTime: T0 + 50 * MS });
  plant.source.first = 0;
  const checkpoint = { ...end, partitions: [{ partition: 0, from: 0, to: 100, next: 10 }] };
  plant.source.first = 60;
  const sink = Object.assign(new MemorySink(), { next: 10 });
  const later = await run({ checkpoint: { ...checkpoint, counts: { ...end.counts, recordsRead: 0 } } }, sink);
  expect(later.end.counts).toMatchObject({ recordsRead: 40, recordsDeleted: 50, recordsMissing: 0 });
});

test('goes on from a checkpoint only where the sink still has what the checkpoint says', async () => {
  await filled(400);
  const whole = await run();
  const half = { ...whole.end.counts, records: 200, recordsRead: 200, samples: 200 };
  const checkpoint = { partitions: [{ partition: 0, from: 0, to: 400, next: 200 }], counts: half };
  const deleted = await run({ checkpoint });
  expect(rowsOf(deleted.sink)).toEqual(rowsOf(whole.sink));
  expect(deleted.end).toEqual(whole.end);
});

test('what a checkpoint says is in the sink, also where nothing was taken in', async () => {
  plant = new Plant(DEVICES);
  plant.source.append(Array.from({ length: 50 }, () => record(origin('a'), Buffer.from('{no'))));
  const { sink, end } = await run();
  expect([sink.next, end.counts.recordsRead]).toEqual([50, 50]);
  const again = await run({ checkpoint: end }, sink);
  expect(again.end).toEqual(end);
});

test('tells what the log could not give, in the middle and at the end', async () => {
  await filled(100);
  const damaged = async (from: number) => {
    const at = from >= 20 && from < 35 ? 35 : from;
    if (at >= 90) return null;
    const end = at < 20 ? 20 : 90;
    return {
      ...rawBatchOf(plant.source.records.slice(at, end)),
      topic: 'telemetry.raw',
      partition: 0,
      firstPosition: at,
    };
  };
  const { end } = await run({}, new MemorySink(), undefined, damaged);
  expect(end.counts).toMatchObject({ recordsRead: 75, recordsMissing: 25 });
  expect(progressOf(end)).toEqual({ done: 100, total: 100 });
});

test('keeps to a multiple of the pace at which the records came', async () => {
  plant = new Plant(DEVICES, [series(1, 'a', 'temp')]);
  plant.source.append(
    Array.from({ length: 5 }, (_, n) =>
      record(origin('a'), { ts: T0 / MS + n, metrics: { temp: n } }, T0 + n * 100 * MS),
    ),
  );
  const pace = { loadPercentMax: 100, liveLag: async () => 0, liveLagMax: 1 };
  const timed = async (speed: number | null): Promise<number> => {
    const started = performance.now();
    expect((await run({ pace: { ...pace, speed } })).end.counts.samples).toBe(5);
    return performance.now() - started;
  };
  expect(await timed(2)).toBeGreaterThan(195);
  expect(await timed(null)).toBeLessThan(150);
});

test('rests while live ingestion is behind', async () => {
  await filled(50);
  const lags = [5000, 5000, 0];
  let asked = 0;
  const liveLag = async (): Promise<number> => {
    asked += 1;
    return lags.shift() ?? 0;
  };
  const { end } = await run({ pace: { speed: null, loadPercentMax: 100, liveLag, liveLagMax: 1000 } });
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(end.counts.recordsRead).toBe(50);
});
