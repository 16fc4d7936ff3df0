/** Between a real log and a real store (in memory): what goes in comes out, whatever fails and changes on the way. */
import { codecById } from '@fieldline/codecs';
import { FieldlineError, type Logger, Metrics, silentLogger, systemClock } from '@fieldline/kit';
import { createMemoryLog, type Log } from '@fieldline/log';
import { BUILT_IN_MAPPINGS, type Micros, type Origin, rawBatchOf, type TopicMapping } from '@fieldline/model';
import { createMemoryStore, type TelemetryStore } from '@fieldline/store';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { type DeadLetter, replayedRecord } from './dead-letters/dead-letter.ts';
import { type DeadLetterSource, listDeadLetters } from './dead-letters/list-dead-letters.ts';
import type { PipelineOptions, PipelineSettings, SampleSink } from './options.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { SLICE_SAMPLES } from './stages/decode.ts';
import {
  device,
  deviceChange,
  directoryOf,
  MemoryRegistry,
  ORGANIZATION,
  origin,
  record,
  series,
  T0,
  type TestRecord,
  until,
} from './testing.ts';

const running: Pipeline[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(running.splice(0).map((pipeline) => pipeline.stop()));
});

/** Log, store and catalog, which outlive their pipelines. */
class Installation {
  readonly log: Log;
  readonly store: TelemetryStore = createMemoryStore();
  readonly registry: MemoryRegistry;
  readonly devices;
  /** What stands between pipeline and store: where faults come from. */
  sink: SampleSink = this.store;
  readonly #partitions: number;

  constructor(deviceIds: readonly string[], known: Parameters<typeof directoryOf>[1] = [], partitions = 1) {
    const kept = { retentionMs: null, retentionBytes: null };
    this.#partitions = partitions;
    this.log = createMemoryLog({
      'telemetry.raw': { partitions, ...kept },
      'dead-letters': { partitions: 2, ...kept },
    });
    this.registry = new MemoryRegistry(known);
    this.devices = deviceIds.map((id) => device(id));
  }

  async start(settings: Partial<PipelineSettings> = {}, more: Partial<PipelineOptions> = {}): Promise<Pipeline> {
    const { log } = this;
    const pipeline = createPipeline({
      source: {
        topic: 'telemetry.raw',
        partitions: [...Array(this.#partitions).keys()],
        read: (partition, from, options) => log.read('telemetry.raw', partition, from, options),
        bounds: async (partition) => (await log.bounds('telemetry.raw'))[partition]!,
      },
      sink: this.sink,
      directory: directoryOf(this.devices, [...this.registry.made.values()]),
      registerSeries: (requests) => this.registry.register(requests),
      registerDevice: async () => Promise.reject(new FieldlineError('FORBIDDEN', 'nobody registers devices here')),
      appendDeadLetters: (batch) => log.append('dead-letters', batch),
      deadLetters: this.deadLetters,
      clock: systemClock,
      logger: silentLogger,
      metrics: new Metrics(),
      ...more,
      settings: { transactionIntervalMs: 1, ...settings },
    });
    running.push(pipeline);
    await pipeline.start();
    return pipeline;
  }

  append(...records: readonly TestRecord[]): Promise<unknown> {
    return this.log.append('telemetry.raw', rawBatchOf(records));
  }

  /** Everything that was appended has been dealt with. */
  async drained(pipeline: Pipeline): Promise<void> {
    const bounds = await this.log.bounds('telemetry.raw');
    await until(() => pipeline.storedPositions().every(({ partition, next }) => next === bounds[partition]!.next));
  }

  get deadLetters(): DeadLetterSource {
    return {
      bounds: () => this.log.bounds('dead-letters'),
      read: (partition, from, recordsMax) => this.log.read('dead-letters', partition, from, { recordsMax }),
    };
  }

  async letters(): Promise<DeadLetter[]> {
    return (await listDeadLetters(this.deadLetters, { organizationId: ORGANIZATION.id }, 10_000)).items;
  }

  /** Dead letters in the log, repeats included. */
  async lettersWritten(): Promise<number> {
    return (await this.log.bounds('dead-letters')).reduce((sum, { next }) => sum + next, 0);
  }

  /** [µs after T0, value or text] of a series, in order. */
  async samples(deviceId: string, metric: string): Promise<[Micros, number | string][]> {
    const known = this.registry.made.get(`${deviceId}/${metric}`);
    if (known === undefined) return [];
    const range = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1e9 };
    const [columns] = await this.store.readRaw({ seriesIds: [known.id], ...range });
    return Array.from(columns!.sourceTime, (time, row) => [
      time - T0,
      columns!.texts?.get(row) ?? columns!.value[row]!,
    ]);
  }
}

function sample(from: Origin, time: Micros, value: unknown, metric = 'temp'): TestRecord {
  return record(from, { ts: (T0 + time) / 1000, metrics: { [metric]: value } });
}

test('a store that begins again at the start of the log writes no dead letter twice, and still writes new ones', async () => {
  const of = new Installation(['d-1']);
  const bad = (at: number): TestRecord => record(origin('d-1'), Buffer.from(`{${at}`));
  const unknown = (at: number): TestRecord => record(origin('d-2'), { ts: T0 / 1000 + at, metrics: { temp: at } });
  const partly = (at: number): TestRecord =>
    record(origin('d-1'), { ts: T0 / 1000 + at, metrics: { temp: at, odd: {} } });
  const first = await of.start();
  for (let at = 0; at < 50; at++) await of.append(bad(at), unknown(at), partly(at));
  await of.drained(first);
  await first.stop();
  const [again] = (await of.letters()).map(replayedRecord);
  const second = await of.start();
  await of.append({ ...again!, payload: again!.payload });
  await of.drained(second);
  await second.stop();
  const before = (await of.letters()).map(({ id }) => id);
  expect([await of.lettersWritten(), before.length]).toEqual([151, 151]);
  // As after `fieldline doctor --repair`, and more comes meanwhile.
  of.sink = createMemoryStore();
  await of.append(bad(50), partly(51));
  const third = await of.start({ readBytesMax: 100 });
  await of.append(bad(52));
  await of.drained(third);
  expect(await of.lettersWritten()).toBe(154);
  expect((await of.letters()).map(({ id }) => id).slice(3)).toEqual(before);
});

/** A store that fails as told: before the commit, behind it (the answer is lost), or for good (a crash). */
function faulty(
  store: TelemetryStore,
  faults: Iterator<'none' | 'away' | 'full' | 'lost' | 'crash'>,
): SampleSink & { isDead: boolean } {
  const sink = {
    isDead: false,
    acquire: store.acquire,
    defineSeries: store.defineSeries,
    latest: () => store.latest(),
    append: async (...[batch, position]: Parameters<SampleSink['append']>) => {
      const fault = sink.isDead ? 'crash' : (faults.next().value ?? 'none');
      if (fault === 'crash') sink.isDead = true;
      if (fault === 'crash') throw new FieldlineError('STOPPED', 'killed');
      if (fault === 'away') throw new FieldlineError('UNAVAILABLE', 'no connection');
      if (fault === 'full') throw new FieldlineError('DISK_FULL', 'no space left');
      await store.append(batch, position);
      if (fault === 'lost') throw new FieldlineError('TIMEOUT', 'no answer in time');
    },
  };
  return sink;
}

test('late data, corrections, faults and crashes at random: of each (series, time) the last sent is stored, nothing else', async () => {
  const ids = ['d-1', 'd-2', 'd-3', 'd-4', 'd-5'];
  const origins = ids.map((id) => origin(id));
  const sent = fc.record({ device: fc.nat(4), time: fc.nat(6), metric: fc.constantFrom('a', 'b') });
  const fault = fc.constantFrom('none', 'none', 'none', 'away', 'full', 'lost', 'crash');
  await fc.assert(
    fc.asyncProperty(
      fc.array(sent, { minLength: 1, maxLength: 60 }),
      fc.array(fault, { maxLength: 12 }),
      async (all, faults) => {
        const of = new Installation(ids, [], 3);
        const expected = new Map<string, Map<number, number>>();
        for (const [value, { device: at, time, metric }] of all.entries()) {
          await of.append(sample(origins[at]!, time, value, metric));
          const name = `${ids[at]}/${metric}`;
          expected.set(name, (expected.get(name) ?? new Map()).set(time, value));
        }
        const plan = faults[Symbol.iterator]();
        for (let isDone = false; !isDone; ) {
          const sink = faulty(of.store, plan);
          of.sink = sink;
          const pipeline = await of.start({ readBytesMax: 200, samplesPerTransactionMax: 6 });
          await Promise.race([of.drained(pipeline), until(() => sink.isDead)]);
          await pipeline.stop();
          isDone = !sink.isDead;
        }
        for (const [name, values] of expected) {
          const [deviceId, metric] = name.split('/') as [string, string];
          expect(await of.samples(deviceId, metric)).toEqual([...values].sort((a, b) => a[0] - b[0]));
        }
        expect([of.registry.made.size, (await of.letters()).length]).toEqual([expected.size, 0]);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

test('changes of the directory hold for what is read after them, and newest values stay', async () => {
  const temp = series(1, 'd-1', 'temp');
  const of = new Installation(['d-1', 'd-2'], [temp]);
  const [one, two] = [origin('d-1'), origin('d-2')];
  const pipeline = await of.start();
  await of.append(sample(one, 0, 10));
  await of.drained(pipeline);
  pipeline.applyDirectory([{ version: 2, kind: 'series', series: { ...temp, scale: 2, offset: 1, maximum: 30 } }]);
  expect(pipeline.latest([1])[0]).toMatchObject({ sourceTime: T0, value: 10 });
  await of.append(sample(one, 1, 10), sample(one, 2, 20), sample(two, 0, 1));
  await of.drained(pipeline);
  expect(await of.samples('d-1', 'temp')).toEqual([
    [0, 10],
    [1, 21],
    [2, 30],
  ]);

  pipeline.applyDirectory([deviceChange(3, { ...of.devices[0]!, lifecycle: 'decommissioned' })]);
  pipeline.applyDirectory([{ version: 4, kind: 'device-removed', deviceId: 'd-2' }]);
  await of.append(sample(one, 3, 10), sample(two, 3, 1));
  await of.drained(pipeline);
  pipeline.applyDirectory([
    deviceChange(5, of.devices[0]!),
    { version: 6, kind: 'mapping-removed', mappingId: BUILT_IN_MAPPINGS[0]!.id },
  ]);
  await of.append(sample(one, 4, 10));
  await of.drained(pipeline);
  expect((await of.letters()).map(({ code }) => code).sort()).toEqual([
    'DEVICE_DECOMMISSIONED',
    'DEVICE_UNKNOWN',
    'TOPIC_UNMAPPED',
  ]);

  // All is mended, and everything replayed: nothing is missing, also not for the device that was made anew.
  pipeline.applyDirectory([
    deviceChange(7, of.devices[1]!),
    { version: 8, kind: 'mapping', mapping: BUILT_IN_MAPPINGS[0]! },
  ]);
  await of.append(...(await of.letters()).map(replayedRecord));
  await of.drained(pipeline);
  expect(await of.samples('d-1', 'temp')).toEqual([
    [0, 10],
    [1, 21],
    [2, 30],
    [3, 21],
    [4, 21],
  ]);
  expect(await of.samples('d-2', 'temp')).toEqual([
    [0, 1],
    [3, 1],
  ]);
});

test('a replay is read with the codec that its mapping has now', async () => {
  const mapping: TopicMapping = {
    ...{ id: 'own', organizationId: ORGANIZATION.id, name: 'Own', pattern: 'press/{device}/{tag}', codec: 'json' },
    ...{ device: '{device}', metric: '{tag}', priority: 5, enabled: true },
  };
  const of = new Installation(['d-1']);
  const pipeline = await of.start();
  pipeline.applyDirectory([{ version: 2, kind: 'mapping', mapping }]);
  await of.append(record(origin('d-1', { topic: 'press/d-1/force', mappingId: 'own' }), Buffer.from('42.5')));
  await of.drained(pipeline);
  const [letter] = await of.letters();
  expect([letter!.code, letter!.origin.codec]).toEqual(['PAYLOAD_WRONG_SHAPE', 'json']);
  pipeline.applyDirectory([{ version: 3, kind: 'mapping', mapping: { ...mapping, codec: 'uns' } }]);
  await of.append(replayedRecord(letter!));
  await of.drained(pipeline);
  expect(await of.samples('d-1', 'force')).toEqual([[0, 42.5]]);
});

test('a replay undoes no correction, also behind a restart, neither in the store nor among the newest values', async () => {
  const known = [series(1, 'd-1', 'temp'), series(2, 'd-1', 'mode', { valueKind: 'number' })];
  const of = new Installation(['d-1'], known);
  const first = await of.start();
  const pump = origin('d-1');
  await of.append(record(pump, { ts: T0 / 1000, metrics: { temp: 1, mode: 'auto' } }), sample(pump, 0, 2));
  await of.drained(first);
  await first.stop();
  const [letter] = await of.letters();
  expect([letter!.partial, letter!.rejections[0]!.metric]).toEqual([true, 'mode']);
  const second = await of.start();
  await of.append(replayedRecord(letter!));
  await of.drained(second);
  expect(await of.samples('d-1', 'temp')).toEqual([[0, 2]]);
  expect(second.latest([1])[0]!.value).toBe(2);
});

test('a big read goes in slices: the thread has its turns, transactions stay bounded', async () => {
  const of = new Installation(['d-1']);
  const sizes: number[] = [];
  of.sink = {
    ...faulty(of.store, [].values()),
    append: async (batch, position) => {
      sizes.push(batch.count);
      await of.store.append(batch, position);
    },
  };
  const from = origin('d-1');
  const metrics = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`m${at}`, at]));
  await of.append(...Array.from({ length: 2000 }, (_, at) => record(from, { ts: T0 / 1000 + at, metrics })));
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  turn();
  const pipeline = await of.start({
    samplesPerTransactionMax: 20_000,
    transactionIntervalMs: 10_000,
    readBytesMax: 64 * 1024 * 1024,
  });
  await until(() => sizes.reduce((sum, size) => sum + size, 0) >= 180_000);
  isOver = true;
  await pipeline.stop();
  await expect(of.samples('d-1', 'm7')).resolves.toHaveLength(2000);
  expect(Math.max(...sizes)).toBeLessThan(20_000 + SLICE_SAMPLES + 100);
  expect(turns).toBeGreaterThan(200_000 / SLICE_SAMPLES / 2);
});

test('a flood of records without a use goes into the dead letters in bounded appends', async () => {
  const of = new Installation([]);
  const counts: number[] = [];
  const ghost = origin('ghost');
  await of.append(...Array.from({ length: 10_000 }, (_, at) => sample(ghost, at, at)));
  const pipeline = await of.start(
    {},
    {
      appendDeadLetters: (batch) => {
        counts.push(batch.count);
        return of.log.append('dead-letters', batch);
      },
    },
  );
  await of.drained(pipeline);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10_000);
  expect(Math.max(...counts)).toBeLessThanOrEqual(4096);
});

test('a probe whose answer was lost does not fence its own writer', async () => {
  const of = new Installation(['d-1'], [series(1, 'd-1', 'temp')]);
  let appends = 0;
  let acquired = 0;
  of.sink = {
    ...faulty(of.store, [].values()),
    acquire: async (topic, partition) => {
      const position = await of.store.acquire(topic, partition);
      if (++acquired === 2) throw new FieldlineError('TIMEOUT', 'no answer in time');
      return position;
    },
    append: async (batch, position) => {
      if (++appends <= 4) throw new FieldlineError('UNAVAILABLE', 'no connection');
      await of.store.append(batch, position);
    },
  };
  const pipeline = await of.start();
  await of.append(sample(origin('d-1'), 0, 5));
  await of.drained(pipeline);
  await until(() => pipeline.health().ready);
  expect(acquired).toBeGreaterThanOrEqual(3);
  expect(await of.samples('d-1', 'temp')).toEqual([[0, 5]]);
  expect(await of.letters()).toEqual([]);
});

test('a store that has ended before the pipeline: health says that nothing is read any more', async () => {
  const of = new Installation(['d-1'], [series(1, 'd-1', 'temp')]);
  const pipeline = await of.start();
  await of.store.close();
  await of.append(sample(origin('d-1'), 0, 5));
  await until(() => !pipeline.health().ready);
  expect(pipeline.health().problem).toMatch(/partition 0 is not read any more: the store is closed/);
});

test('a codec that throws what it may not: its payload is a dead letter, the log says so aloud, the others go on', async () => {
  const uns = codecById('uns')!;
  vi.spyOn(uns, 'decode').mockImplementation(() => {
    throw new TypeError('cannot read properties of undefined');
  });
  const lines: [object, string][] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (fields, message) => void lines.push([fields, message]),
    child: () => logger,
  };
  const of = new Installation(['d-1']);
  const pipeline = await of.start({}, { logger });
  await of.append(sample(origin('d-1'), 0, 1), record(origin('d-1', { codec: 'uns' }), 7), sample(origin('d-1'), 1, 2));
  await of.drained(pipeline);
  expect(await of.samples('d-1', 'temp')).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect((await of.letters()).map(({ code, originalPosition }) => [code, originalPosition])).toEqual([['INTERNAL', 1]]);
  expect(lines).toEqual([
    [{ partition: 0, position: 1, code: 'INTERNAL' }, 'codec uns failed: cannot read properties of undefined'],
  ]);
  expect(pipeline.health().ready).toBe(true);
});

test('statistics go on where the log does not answer', async () => {
  const of = new Installation(['d-1']);
  const pipeline = await of.start();
  await of.append(sample(origin('d-1'), 0, 1));
  await of.drained(pipeline);
  await pipeline.stop();
  vi.spyOn(of.log, 'bounds').mockRejectedValue(new FieldlineError('STOPPED', 'the log is closed'));
  expect(await pipeline.statistics()).toMatchObject({ recordsTotal: 1, samplesTotal: 1, lagRecords: 0 });
});
