/**
 * Nothing is dropped in silence: whatever comes in, every record is stored whole or named by a dead letter, every sample is
 * stored or listed as refused, and the order of each device is kept, also across crashes at any point.
 */
import { codecById, DEFAULT_DECODE_LIMITS, DecodedBatch, encodeProtobuf } from '@fieldline/codecs';
import { FieldlineError } from '@fieldline/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PipelineSettings } from './options.ts';
import { device, origin, Plant, record, series, T0, type TestRecord, until } from './testing.ts';

const devices = ['pump', 'robot'];
const origins: Record<string, TestRecord['origin']> = Object.fromEntries(
  [...devices, 'ghost'].map((id) => [id, origin(id)]),
);
const protobufOrigin = origin('robot', { codec: 'protobuf' });

const metricValue = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
  fc.boolean(),
  fc.string({ maxLength: 5 }),
  fc.constantFrom(null, {}, [], { value: null }, { value: 3, unit: 'bar' }, { value: 3, unit: 'furlong' }),
);
const metricKey = fc.constantFrom('temp', 'speed', 'mode', 'pressure', '', 'k'.repeat(300), 'c\u0000');
const time = fc.constantFrom(T0, T0 + 1000, T0 - 5000, T0 + 10 ** 12, -5000, Number.NaN);

const jsonPayload = fc
  .record({ metrics: fc.dictionary(metricKey, metricValue, { maxKeys: 5 }), ts: time })
  .map(({ metrics, ts }) => (Number.isNaN(ts) ? { metrics } : { metrics, ts: ts / 1000 }));
const anyRecord: fc.Arbitrary<TestRecord> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...devices, 'ghost'), jsonPayload)
      .map(([id, json]) => record(origins[id]!, json)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...devices), fc.uint8Array({ maxLength: 40 }))
      .map(([id, bytes]) => record(origins[id]!, bytes)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => record(protobufOrigin, bytes)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(record({ ...origin('pump'), codec: 'morse' }, 'x'), record(protobufOrigin, protobuf())),
  },
);

function protobuf(): Uint8Array {
  return encodeProtobuf({ sourceTime: T0, intervalMicros: 1000, columns: [{ metric: 'joint', values: [1, 2] }] });
}

function plant(settings: Partial<PipelineSettings> = {}): Plant {
  const known = [series(1, 'pump', 'pressure', { unit: 'Pa' }), series(2, 'robot', 'mode', { valueKind: 'text' })];
  return new Plant(
    devices.map((id) => device(id)),
    known,
    { settings },
  );
}

test('every record and every sample is accounted for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRecord, { maxLength: 40 }), async (records) => {
      const of = plant();
      of.source.append(records);
      if (records.length === 0) return;
      const statistics = await (await of.runThrough()).statistics();
      const letters = of.letters();
      // One letter at the most for each record, each with a reason; the whole ones bring no samples, the partial ones some.
      expect(new Set(letters.map(({ originalPosition }) => originalPosition)).size).toBe(letters.length);
      const stored = new Set(of.sink.rows.map(({ version }) => version));
      for (const { originalPosition, partial, message, payload } of letters) {
        expect([stored.has(originalPosition), message.length > 0]).toEqual([partial, true]);
        expect(Buffer.compare(payload, records[originalPosition]!.payload)).toBe(0);
      }
      // Without a letter a record is stored whole (a message without metrics has nothing to store).
      const named = new Set(letters.map(({ originalPosition }) => originalPosition));
      for (let position = 0; position < records.length; position++) {
        if (!named.has(position)) expect(rowsOf(of, position)).toBe(samplesIn(records[position]!));
      }
      // Samples: those of records that could be read are stored or refused, exactly.
      const readable = letters.filter(({ rejections }) => rejections.length > 0);
      for (const { originalPosition, rejections } of readable) {
        expect(rowsOf(of, originalPosition) + rejections.length).toBe(samplesIn(records[originalPosition]!));
      }
      const refused = readable.reduce((sum, { rejections }) => sum + rejections.length, 0);
      expect([statistics.samplesTotal, statistics.samplesRejectedTotal]).toEqual([of.sink.rows.length, refused]);
      expect([statistics.recordsTotal, statistics.deadLettersTotal]).toEqual([records.length, letters.length]);
    }),
    { numRuns: 150 },
  );
});

/** Ends the pipeline that writes to this store at its next append but `appends`: as a crash just before or just after the commit. */
function killAt(of: Plant, appends: number, afterCommit: boolean): { isDead: boolean } {
  const life = { isDead: false };
  const { append } = Object.getPrototypeOf(of.sink) as typeof of.sink;
  of.sink.append = async (batch, position) => {
    const isLast = appends-- <= 0;
    if (!isLast || afterCommit) await append.call(of.sink, batch, position);
    if (!isLast) return;
    life.isDead = true;
    throw new FieldlineError('STOPPED', 'killed');
  };
  return life;
}

test('crashes and refusals at random moments lose nothing, repeat nothing and keep the order', async () => {
  const lives = fc.array(fc.record({ appends: fc.nat(4), afterCommit: fc.boolean() }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 60 }), lives, fc.nat(7), async (count, ends, busyEvery) => {
      const of = plant({ readBytesMax: 150, samplesPerTransactionMax: 5 });
      const isPoison = (at: number): boolean => at % 17 === 16;
      let appends = 0;
      of.sink.fault = (batch) => {
        if (busyEvery > 1 && ++appends % busyEvery === 0) throw new FieldlineError('OVERLOADED', 'busy');
        for (let row = 0; row < batch.count; row++)
          if (isPoison(batch.value[row]!)) throw new FieldlineError('VALUE_NOT_ACCEPTED', 'poison');
      };
      for (let at = 0; at < count; at++)
        of.source.append([record(origins[devices[at % 2]!]!, { ts: (T0 + at) / 1000, metrics: { temp: at } })]);
      for (const { appends, afterCommit } of [...ends, { appends: Number.POSITIVE_INFINITY, afterCommit: false }]) {
        const life = killAt(of, appends, afterCommit);
        const pipeline = of.pipeline();
        await pipeline.start();
        await until(() => life.isDead || of.sink.next === count);
        await pipeline.stop();
      }
      const all = [...Array(count).keys()];
      expect(of.sink.rows.map(({ value }) => value)).toEqual(all.filter((at) => !isPoison(at)));
      const named = new Set(of.letters().map(({ originalPosition }) => originalPosition));
      expect([...named].sort((a, b) => a - b)).toEqual(all.filter(isPoison));
    }),
    { numRuns: 40 },
  );
}, 60_000);

function rowsOf(of: Plant, position: number): number {
  return of.sink.rows.filter(({ version }) => version === position).length;
}

/** Samples that the payload holds, good ones and bad ones. */
function samplesIn({ origin: { codec }, payload }: TestRecord): number {
  const decoded = new DecodedBatch();
  codecById(codec)!.decode(payload, decoded, DEFAULT_DECODE_LIMITS);
  return decoded.count + decoded.rejections.length;
}
