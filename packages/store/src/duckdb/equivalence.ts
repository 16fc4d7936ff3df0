/**
 * The property behind the contract: whatever samples come in whatever order, with background work and restarts in between,
 * every question is answered as the reference store answers it. Used by the short and the long form of the test.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '@fieldline/kit';
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, RESOLUTIONS } from '@fieldline/model';
import fc from 'fast-check';
import { expect } from 'vitest';
import { createMemoryStore } from '../memory/memory-store.ts';
import type { BucketColumns, TelemetryStore } from '../store.ts';
import { batchOf, type TestRow } from '../test-batch.ts';
import { openDuckdbStore } from './open-store.ts';

const START = Date.UTC(2026, 2, 28) * 1000;
/** Two of one shard, one of another. */
const SERIES = [1, 2, 40];
const ZONES = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Kathmandu'];

/** Few distinct times, so that repetitions are many; on and beside the edges of minutes, hours and days. */
const time = fc
  .tuple(
    fc.nat(3),
    fc.constantFrom(0, 1, 5, 18, 23),
    fc.constantFrom(0, 1, 14, 15, 30, 59),
    fc.constantFrom(0, 1, 30_000_000, 59_999_999),
  )
  .map(
    ([day, hour, minute, micros]) =>
      START + day * MICROS_PER_DAY + hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + micros,
  );

const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -500, max: 500 }).map((cents) => cents / 100) },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 3 }) },
  fc.constantFrom(-0, 0.1 + 0.2, 1e300, -1e300, 5e-324, 2 ** 53, 1e15, 0.1234567, 123456.789012, Number.MAX_VALUE / 8),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
);

const row: fc.Arbitrary<TestRow> = fc
  .record({
    seriesId: fc.constantFrom(...SERIES),
    sourceTime: time,
    delay: fc.constantFrom(0, 1000, 12_000, 7, -3000),
    value,
    text: fc.option(fc.constantFrom('', 'on', 'Überlast'), { freq: 8, nil: undefined }),
    quality: fc.constantFrom(192, 192, 192, 64, 0, 128, 216),
    version: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ delay, text, ...rest }) => ({
    ...rest,
    receivedTime: rest.sourceTime + delay,
    ...(text === undefined ? {} : { text }),
  }));

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(row, { minLength: 1, maxLength: 40 }).map((rows) => ({ kind: 'append' as const, rows })),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ days: fc.nat(5), isAwaited: fc.boolean() })
      .map(({ days, isAwaited }) => ({ kind: 'maintain' as const, now: START + days * MICROS_PER_DAY, isAwaited })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  {
    weight: 3,
    arbitrary: fc
      .record({ a: time, b: time, limit: fc.integer({ min: 1, max: 30 }), points: fc.integer({ min: 1, max: 400 }) })
      .map((question) => ({ kind: 'ask' as const, ...question })),
  },
);

export async function checkEquivalence(runs: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), fc.boolean(), async (steps, settlesDays) => {
      const dir = await mkdtemp(join(tmpdir(), 'fieldline-store-'));
      const options = {
        dir,
        clock: new ManualClock(0),
        sealAfterMs: 0,
        sliceRows: 20,
        compactAfterMs: settlesDays ? 0 : 1e15,
        rollUpAfterMs: 0,
        rollUpRowsMax: 15,
        keptRowsMax: settlesDays ? 20 : 0,
        walBytesMax: 0,
        retention: { rawMs: null, hourlyMs: null, dailyMs: null },
      };
      const reference = createMemoryStore();
      let store: TelemetryStore = await openDuckdbStore(options);
      try {
        let next = 0;
        // Background work that goes on beside the next steps.
        const rounds: Promise<void>[] = [];
        for (const each of [...steps, { kind: 'reopen' as const }]) {
          if (each.kind === 'append') {
            next += 1;
            const position = { topic: 'telemetry.raw', partition: 0, epoch: 1, next };
            for (const either of [reference, store]) await either.append(batchOf(each.rows), position);
          } else if (each.kind === 'maintain') {
            const round = store.maintain(each.now);
            if (each.isAwaited) await round;
            else rounds.push(round);
          } else if (each.kind === 'reopen') {
            await Promise.all(rounds.splice(0));
            await store.close();
            store = await openDuckdbStore(options);
            await compare(reference, store, { from: 0, to: START + 10 * MICROS_PER_DAY }, 1000, 200);
          } else {
            await compare(
              reference,
              store,
              { from: Math.min(each.a, each.b), to: Math.max(each.a, each.b) },
              each.limit,
              each.points,
            );
          }
        }
      } finally {
        await store.close();
        await rm(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: runs, endOnFailure: process.env.CI !== undefined, verbose: 1 },
  );
}

async function compare(
  reference: TelemetryStore,
  store: TelemetryStore,
  range: { from: number; to: number },
  limit: number,
  points: number,
): Promise<void> {
  const seriesIds = [...SERIES, 99];
  for (const order of ['asc', 'desc'] as const) {
    const query = { seriesIds, ...range, limit, order };
    expect(await store.readRaw(query)).toEqual(await reference.readRaw(query));
  }
  for (const resolution of RESOLUTIONS) {
    for (const timeZone of resolution === '1d' ? ZONES : ['UTC']) {
      const query = { seriesIds, ...range, resolution, timeZone, limit };
      const [found, expected] = [await store.readBuckets(query), await reference.readBuckets(query)];
      for (const [index, buckets] of expected.entries()) compareBuckets(found[index]!, buckets);
    }
  }
  const reduced = { seriesIds, ...range, points };
  expect(await store.downsample(reduced)).toEqual(await reference.downsample(reduced));
  expect(await store.latest()).toEqual(await reference.latest());
  const streamed = [];
  for await (const page of store.stream({ seriesIds, ...range })) streamed.push(page);
  const whole = await reference.readRaw({ seriesIds, ...range, limit: Number.MAX_SAFE_INTEGER });
  expect(streamed).toEqual(whole.filter(({ sourceTime }) => sourceTime.length > 0));
}

/** Exact but for average and stddev, which may differ by rounding. */
function compareBuckets(found: BucketColumns, expected: BucketColumns): void {
  const { average, stddev, ...exact } = expected;
  const { average: foundAverage, stddev: foundStddev, ...foundExact } = found;
  expect(foundExact).toEqual(exact);
  for (const [row, mean] of average.entries()) {
    const tolerance =
      1e-9 * Math.max(Math.abs(expected.minimum[row]!), Math.abs(expected.maximum[row]!), Number.MIN_VALUE);
    expectClose(foundAverage[row]!, mean, tolerance);
    expectClose(foundStddev[row]!, stddev[row]!, tolerance);
  }
}

function expectClose(found: number, expected: number, tolerance: number): void {
  if (Number.isFinite(expected)) expect(Math.abs(found - expected)).toBeLessThanOrEqual(tolerance);
  else expect(found).toBe(expected);
}
