/** Samples without a time of their own: restarts, repairs, errors of the store and replays double none and lose none. */
import { FieldlineError } from '@fieldline/kit';
import { expect, test } from 'vitest';
import { EVERYTHING, runOf } from './history/testing.ts';
import { device, MemorySink, origin, Plant, record, T0, type TestRecord } from './testing.ts';

const DEVICES = [device('a')];
const SECOND = 1_000_000;

const untimed = (value: number, received: number): TestRecord =>
  record(origin('a'), { metrics: { value } }, T0 + received);
const ahead = (value: number, received: number, byMicros: number): TestRecord =>
  record(origin('a'), { ts: (T0 + received + byMicros) / 1000, metrics: { value } }, T0 + received);
const burst = (count: number, stepMicros = 0): TestRecord[] =>
  Array.from({ length: count }, (_, n) => untimed(n, n * stepMicros));

async function plantOf(...parts: readonly (readonly TestRecord[])[]): Promise<Plant> {
  const plant = new Plant(DEVICES);
  for (const part of parts) {
    plant.source.append(part);
    await plant.runThrough(); // Each part comes to a pipeline of its own.
  }
  return plant;
}

function kept(plant: Plant): { samples: number; values: number } {
  const values = [...plant.sink.samples.values()].map(({ value }) => value);
  return { samples: values.length, values: new Set(values).size };
}

const whole = (count: number) => ({ samples: count, values: count });

async function replay(plant: Plant, from = 0): Promise<void> {
  const live = Object.assign(new MemorySink(), { samples: plant.sink.samples });
  await runOf(plant, DEVICES, { selection: { ...EVERYTHING, from } }, live);
}

test('a replay that begins within a burst', async () => {
  for (const from of [0, 1, 100, 145, 240]) {
    const messages = Array.from({ length: 50 }, (_, n) =>
      record(
        origin('a'),
        Array.from({ length: 10 }, (_, i) => ({ metrics: { value: n * 10 + i } })),
        T0 + n * 5,
      ),
    );
    const plant = await plantOf(messages);
    expect(kept(plant)).toEqual(whole(500));
    await replay(plant, T0 + from);
    expect([from, kept(plant)]).toEqual([from, whole(500)]);
  }
});

test('a restart behind a sample whose own time lies ahead, and a replay', async () => {
  const plant = await plantOf([ahead(1, 0, 5 * SECOND)], [untimed(2, 4.5 * SECOND)]);
  expect(kept(plant)).toEqual(whole(2));
  await replay(plant);
  expect(kept(plant)).toEqual(whole(2));
});

test('a restart within a burst behind a sample whose own time lies ahead', async () => {
  const values = (first: number) => Array.from({ length: 20 }, (_, n) => untimed(first + n, 0));
  const plant = await plantOf([ahead(-1, -1000, 10 * SECOND), ...values(0)], values(20));
  expect(kept(plant)).toEqual(whole(41));
});

test.each([0, 1, 30_000, 100_000, 400_000, 2_000_000])(
  'the whole log read again, as after a repair: %d µs between messages',
  async (stepMicros) => {
    const plant = await plantOf(burst(60, stepMicros));
    plant.sink.next = 0;
    await plant.runThrough();
    expect(kept(plant)).toEqual(whole(60));
    plant.sink.next = 31;
    await plant.runThrough();
    expect(kept(plant)).toEqual(whole(60));
  },
);

test('an error of the store after which the runner begins again, and a replay', async () => {
  for (const stepMicros of [0, 30_000]) {
    const plant = new Plant(DEVICES, [], { settings: { samplesPerTransactionMax: 5, readBytesMax: 100 } });
    let appends = 0;
    plant.sink.fault = () => {
      appends += 1;
      if (appends === 1 || appends === 3) throw new FieldlineError('CONFLICT', 'once');
    };
    plant.source.append(burst(20, stepMicros));
    await plant.runThrough();
    expect(kept(plant)).toEqual(whole(20));
    await replay(plant);
    expect(kept(plant)).toEqual(whole(20));
  }
});

test('what is read again to warm up is not counted, not told, not written and not registered', async () => {
  const plant = await plantOf([...burst(5), record(origin('a'), Buffer.from('{no'), T0), ...burst(5)]);
  const written = plant.sink.rows.length;
  const [letters, requests] = [plant.letters().length, plant.registry.requests.length];
  plant.frames.length = 0;
  const pipeline = plant.pipeline();
  pipeline.setLiveInterest({ devices: ['a'], sites: [], organizations: [] });
  await pipeline.start();
  await pipeline.stop();
  expect([plant.sink.rows.length, plant.letters().length, plant.registry.requests.length]).toEqual([
    written,
    letters,
    requests,
  ]);
  expect(plant.frames).toEqual([]);
  expect((await pipeline.statistics()).recordsTotal).toBe(0);
});

test('a metric of which the series is there only later', async () => {
  const plant = new Plant(DEVICES);
  plant.registry.limit = 0;
  plant.source.append(burst(3));
  await plant.runThrough();
  plant.registry.limit = 10;
  plant.source.append([untimed(3, 2 * SECOND), untimed(4, 2 * SECOND)]);
  await plant.runThrough();
  expect(kept(plant)).toEqual(whole(2));
  await replay(plant);
  expect(kept(plant)).toEqual(whole(5));
});
