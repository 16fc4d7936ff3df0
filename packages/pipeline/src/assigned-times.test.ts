/** What samples without a time are given, and that it does not matter from where the log is read. */
import type { LoggedBatch, Micros } from '@fieldline/model';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AssignedTimes, SecondCounter } from './assigned-times.ts';
import { logged, origin, record, T0, type TestRecord } from './testing.ts';
import { type ReadBack, warmUpStart } from './warm-up.ts';

const SECOND = 1_000_000;

/** Records of one series, received at T0 + …; the times given to them, less T0. */
function given(...received: readonly Micros[]): Micros[] {
  return timesOf(received.map((at) => record(origin('a'), {}, T0 + at)));
}

function timesOf(records: readonly TestRecord[]): Micros[] {
  const [counter, times, replayed] = [new SecondCounter(), new AssignedTimes(), new AssignedTimes()];
  const seconds = counter.count(logged(records));
  return records.map(({ origin: { attributes }, receivedTime }, index) => {
    const of = attributes === undefined ? times : replayed;
    return of.next(seconds[index]!, receivedTime) - T0;
  });
}

test.each<[string, Micros[], Micros[]]>([
  ['apart already', [0, 5, 9], [0, 5, 9]],
  ['received at the same time', [0, 0, 0, 7], [0, 1, 2, 7]],
  ['a burst that runs into the next one', [0, 0, 0, 1, 1], [0, 1, 2, 3, 4]],
  ['over the end of a second', [SECOND - 1, SECOND - 1, SECOND, SECOND], [SECOND - 1, SECOND, SECOND + 1, SECOND + 2]],
  ['a little out of order', [5, 2, 9], [5, 6, 9]],
  ['out of order over the end of a second', [SECOND, SECOND - 1, SECOND], [SECOND, SECOND + 1, SECOND + 2]],
  ['a clock set back by a minute', [60 * SECOND, 0, 1], [60 * SECOND, 0, 1]],
])('%s', (_, received, expected) => {
  expect(given(...received)).toEqual(expected);
});

test('records that were appended again disturb no burst, and are told apart among themselves', () => {
  const again = (at: Micros): TestRecord => record(origin('a', { attributes: { originalPosition: 0 } }), {}, T0 + at);
  const first = (at: Micros): TestRecord => record(origin('a'), {}, T0 + at);
  const old = -1000 * SECOND;
  expect(timesOf([first(0), again(old), first(0), again(old), again(2 * old), first(0)])).toEqual([
    0,
    old,
    1,
    old + 1,
    2 * old,
    2,
  ]);
});

const step = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(0, 0, 0, 1, 3, 200_000, 400_000, 999_999, SECOND, 3 * SECOND) },
  { weight: 2, arbitrary: fc.constantFrom(-1, -2, -300_000, -SECOND) },
  { weight: 1, arbitrary: fc.constantFrom(-5 * SECOND, -60 * SECOND) },
);
const entry = fc.record({ step, isAgain: fc.integer({ min: 0, max: 9 }).map((one) => one === 0) });

function recordsOf(entries: readonly { readonly step: number; readonly isAgain: boolean }[]): TestRecord[] {
  let received = T0 + SECOND - 2;
  return entries.map(({ step: by, isAgain }) => {
    if (isAgain) return record(origin('a', { attributes: { originalPosition: 0 } }), {}, received - 90 * SECOND);
    received += by;
    return record(origin('a'), {}, received);
  });
}

function readBack(records: readonly TestRecord[], pieceRecords = 7): ReadBack {
  const whole = logged(records);
  return {
    first: 0,
    read: async (from): Promise<LoggedBatch> => ({
      ...whole,
      firstPosition: from,
      count: Math.min(pieceRecords, records.length - from),
      originIndex: whole.originIndex.subarray(from),
      receivedTime: whole.receivedTime.subarray(from),
    }),
  };
}

test('from wherever the log is read, the same times are given', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 60 }), async (entries) => {
      const records = recordsOf(entries);
      const times = timesOf(records);
      for (let position = 0; position <= records.length; position++) {
        const start = await warmUpStart(readBack(records), position);
        expect([position, timesOf(records.slice(start)).slice(position - start)]).toEqual([
          position,
          times.slice(position),
        ]);
      }
    }),
    { numRuns: 300 },
  );
});

test('no two are the same as long as the clock is not set back', () => {
  const forward = fc.array(fc.constantFrom(0, 0, 0, 0, 1, 2, 500_000, SECOND, -1, -3), { maxLength: 200 });
  fc.assert(
    fc.property(forward, (steps) => {
      const times = timesOf(recordsOf(steps.map((by) => ({ step: by, isAgain: false }))));
      expect(new Set(times).size).toBe(times.length);
    }),
  );
});

test('looks back over a few seconds and no further, however many records they hold', async () => {
  const at = (index: number): TestRecord => record(origin('a'), {}, T0 + index * 100);
  const records = Array.from({ length: 100_000 }, (_, index) => at(index));
  const start = await warmUpStart(readBack(records, 5000), 95_000);
  expect(start).toBeLessThanOrEqual(95_000 - 20_000);
  expect(start).toBeGreaterThan(95_000 - 50_000);
  const slow = Array.from({ length: 1000 }, (_, index) => record(origin('a'), {}, T0 + index * SECOND));
  expect(await warmUpStart(readBack(slow), 900)).toBe(896);
});
