/** Replays of random histories: late, repeated, corrected and untimed samples, replayed dead letters, and runs that are cut off. */
import { FieldlineError, systemClock } from '@fieldline/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { device, MemorySink, origin, Plant, record, T0, type TestRecord, until } from '../testing.ts';
import type { HistoryCheckpoint } from './history.ts';
import { EVERYTHING, type Run, rowsOf, runOf } from './testing.ts';

const DEVICES = [device('a'), device('b')];
const MS = 1000;
const RUNS = 60;
/** Some records. */
const PIECE_BYTES = 200;

/** Few source times and values, so that most samples meet another one. */
const message = fc.record({
  deviceId: fc.constantFrom('a', 'b'),
  /** null: without a time of its own. */
  sourceMs: fc.option(fc.integer({ min: -20, max: 20 }), { freq: 5 }),
  metrics: fc.dictionary(fc.constantFrom('temp', 'speed'), fc.integer({ min: 0, max: 3 }), { minKeys: 1 }),
  text: fc.option(fc.constantFrom('on', 'off'), { freq: 3 }),
  /** It comes so much after the message before; doors that append at the same time are a little out of order. */
  pauseMs: fc.constantFrom(0, 0, 0, 0.001, 0.003, -0.002, 1, 700, 3000),
  /** So many samples without a time, one after the other. */
  burst: fc.option(fc.integer({ min: 2, max: 12 }), { freq: 4 }),
  /** It is a dead letter that is replayed: of so many records ago. */
  replayOf: fc.option(fc.integer({ min: 1, max: 30 }), { freq: 5 }),
  isUnreadable: fc.boolean(),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

/** Its only transaction is the one that puts the position before the last checkpoint. */
const NOTHING_TO_STORE: Message = {
  deviceId: 'a',
  sourceMs: null,
  metrics: { temp: 0 },
  text: null,
  pauseMs: 700,
  burst: null,
  replayOf: null,
  isUnreadable: true,
};

function recordsOf(messages: readonly Message[]): TestRecord[] {
  /** Soon there is another second. */
  let received = T0 + 999_995;
  const times: number[] = [];
  return messages.map((one, position) => {
    const { deviceId, sourceMs, metrics, text, pauseMs, burst, replayOf, isUnreadable } = one;
    received += Math.round(pauseMs * MS);
    times.push(received);
    const first = replayOf === null ? null : Math.max(0, position - replayOf);
    const from = origin(deviceId, first === null ? {} : { attributes: { originalPosition: first, replays: 1 } });
    const at = first === null ? received : times[first]!;
    if (isUnreadable && pauseMs === 700) return record(from, Buffer.from('{no'), at);
    if (burst !== null) {
      const values = Array.from({ length: burst }, (_, value) => ({ metrics: { ...metrics, level: value } }));
      return record(from, values, at);
    }
    const ts = sourceMs === null ? {} : { ts: T0 / MS + sourceMs };
    return record(from, { ...ts, metrics: { ...metrics, ...(text !== null && { state: text }) } }, at);
  });
}

async function lived(messages: readonly Message[], readBytesMax: number): Promise<Plant> {
  const plant = new Plant(DEVICES, [], { settings: { readBytesMax } });
  plant.source.append(recordsOf(messages));
  await plant.runThrough();
  return plant;
}

/** Something that happens to the live pipeline at one of its transactions. */
const trouble = fc.record({
  /** After so many transactions more. */
  after: fc.integer({ min: 1, max: 8 }),
  /** Seldom, since it waits a while before it begins again. */
  what: fc.constantFrom('killed', 'killed', 'killed', 'begins again'),
});
type Trouble = typeof trouble extends fc.Arbitrary<infer T> ? T : never;

/** The same, but killed and begun again at some transactions: a pipeline without what the one before remembered. */
async function livedWith(troubles: readonly Trouble[], messages: readonly Message[], readBytesMax: number) {
  const plant = new Plant(DEVICES, [], { settings: { readBytesMax, samplesPerTransactionMax: 1 } });
  plant.source.append(recordsOf(messages));
  const coming = [...troubles];
  let isKilled = false;
  let appends = 0;
  plant.sink.fault = () => {
    appends += 1;
    if (coming[0] === undefined || appends < coming[0].after) return;
    appends = 0;
    isKilled = coming.shift()!.what === 'killed';
    throw new FieldlineError(isKilled ? 'STOPPED' : 'CONFLICT', 'not now');
  };
  while (plant.sink.next < plant.source.records.length) {
    isKilled = false;
    const pipeline = plant.pipeline();
    await pipeline.start();
    await until(() => isKilled || plant.sink.next === plant.source.records.length);
    await pipeline.stop();
  }
  plant.sink.fault = () => {};
  return plant;
}

const history = fc.array(message, { minLength: 1, maxLength: 120 });

test('two replays give identical stores, and the one that was live, however the live data came in pieces', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 4000 }), async (messages, readBytesMax) => {
      const plant = await lived(messages, readBytesMax);
      const [first, second] = [await runOf(plant, DEVICES), await runOf(plant, DEVICES)];
      expect(rowsOf(second.sink)).toEqual(rowsOf(first.sink));
      expect(second.sink.rows).toEqual(first.sink.rows);
      expect(second.end).toEqual(first.end);
      expect(rowsOf(first.sink)).toEqual(rowsOf(plant.sink));
    }),
    { numRuns: RUNS },
  );
});

test('a pipeline that is killed and begins again at any transactions leaves what one leaves that runs through', async () => {
  const troubles = fc.array(trouble, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(history, troubles, fc.integer({ min: 1, max: 4000 }), async (messages, all, readBytesMax) => {
      const plant = await livedWith(all, messages, readBytesMax);
      expect(rowsOf(plant.sink)).toEqual(rowsOf((await lived(messages, 4000)).sink));
      expect(rowsOf((await runOf(plant, DEVICES)).sink)).toEqual(rowsOf(plant.sink));
      // As after a repair, which sets the position back.
      const before = rowsOf(plant.sink);
      plant.sink.next = Math.floor(messages.length / 2);
      await plant.runThrough();
      expect(rowsOf(plant.sink)).toEqual(before);
    }),
    { numRuns: 40 },
  );
});

test('a replay of any part into the live store changes and doubles nothing', async () => {
  // From when a message was received, within bursts, too.
  const part = fc.tuple(fc.nat(200), fc.constantFrom(1, 3, 1000, 1_000_000, 100_000_000));
  await fc.assert(
    fc.asyncProperty(history, part, async (messages, [message, length]) => {
      const plant = await lived(messages, 4000);
      const before = rowsOf(plant.sink);
      const live = Object.assign(new MemorySink(), { samples: plant.sink.samples });
      const from = plant.source.records[message % messages.length]!.receivedTime;
      await runOf(plant, DEVICES, { selection: { ...EVERYTHING, from, to: from + length } }, live);
      expect(rowsOf(live)).toEqual(before);
    }),
    { numRuns: 2 * RUNS },
  );
});

test('samples that are missing come again as they were, and nothing else moves', async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 2, max: 5 }), async (messages, each) => {
      const plant = await lived(messages, 4000);
      const before = rowsOf(plant.sink);
      const live = new MemorySink();
      for (const [index, [key, sample]] of before.entries()) if (index % each !== 0) live.samples.set(key, sample);
      await runOf(plant, DEVICES, {}, live);
      expect(rowsOf(live)).toEqual(before);
    }),
    { numRuns: RUNS },
  );
});

test('a replay that is cut off at any transactions gives the same store and the same account', async () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(history, cuts, async (messages, transactions) => {
      const plant = await lived(messages, 4000);
      const whole = await runOf(plant, DEVICES);
      const broken = await withCuts(plant, transactions);
      expect(rowsOf(broken.sink)).toEqual(rowsOf(whole.sink));
      expect(broken.end).toEqual(whole.end);
    }),
    { numRuns: RUNS, examples: [[[NOTHING_TO_STORE], [1]]] },
  );
});

/** One run, killed at these transactions of its attempts and gone on with from the last checkpoint that was told. */
async function withCuts(plant: Plant, transactions: readonly number[]): Promise<Run> {
  const sink = new MemorySink();
  let checkpoint: HistoryCheckpoint | null = null;
  for (const cut of transactions) {
    const stop = new AbortController();
    let stored = 0;
    sink.fault = () => {
      stored += 1;
      if (stored === cut) stop.abort();
      if (stored >= cut) throw new FieldlineError('UNAVAILABLE', 'killed');
    };
    // Many small transactions, and a checkpoint after some of them.
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + stored * 400 };
    const read = (from: number) =>
      plant.source.read(0, from, { bytesMax: PIECE_BYTES, waitMs: 0, signal: stop.signal });
    const onProgress = async (progress: HistoryCheckpoint): Promise<void> => {
      checkpoint = structuredClone(progress);
    };
    await runOf(plant, DEVICES, { clock, onProgress, checkpoint }, sink, stop.signal, read);
  }
  sink.fault = () => {};
  return runOf(plant, DEVICES, { checkpoint }, sink);
}
