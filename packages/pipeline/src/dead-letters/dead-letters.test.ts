import { FieldlineError } from '@fieldline/kit';
import { createMemoryLog, type Log } from '@fieldline/log';
import type { RawBatch } from '@fieldline/model';
import { describe, expect, test } from 'vitest';
import { Routes } from '../routes.ts';
import { directoryOf, lettersOf, logged, ORGANIZATION, origin, record, T0 } from '../testing.ts';
import { type Refusal, Work } from '../work.ts';
import { replayedRecord } from './dead-letter.ts';
import { deadLetterBatch } from './dead-letter-batch.ts';
import { type DeadLetterSource, findDeadLetter, listDeadLetters } from './list-dead-letters.ts';

const OTHER = 'org-other';
const REFUSED: Refusal = { code: 'DEVICE_UNKNOWN', message: 'there is no such device' };

/** A topic of dead letters in memory, with its reading side. */
function topic(partitions = 1): { log: Log; source: DeadLetterSource; reads: () => number } {
  const log = createMemoryLog({ 'dead-letters': { partitions, retentionMs: null, retentionBytes: null } });
  let reads = 0;
  const source: DeadLetterSource = {
    bounds: () => log.bounds('dead-letters'),
    read: (partition, from, recordsMax) => {
      reads += 1;
      return log.read('dead-letters', partition, from, { recordsMax });
    },
  };
  return { log, source, reads: () => reads };
}

/** Dead letters of whole records at these positions of the raw log. */
function letters(
  positions: readonly number[],
  deviceId = 'd-1',
  organizationId = ORGANIZATION.id,
  refusal = REFUSED,
): RawBatch {
  const from = origin(deviceId, { organizationId });
  const batches = positions.map((position) => {
    const work = new Work();
    work.begin(logged([record(from, { at: position })], position), []);
    work.failures.push({ recordIndex: 0, ...refusal });
    return deadLetterBatch(work, T0 + 1000)!.batch;
  });
  return joined(batches);
}

function joined(batches: readonly RawBatch[]): RawBatch {
  return {
    count: batches.length,
    origins: batches.map(({ origins }) => origins[0]!),
    originIndex: Uint32Array.from(batches, (_, index) => index),
    receivedTime: Float64Array.from(batches, ({ receivedTime }) => receivedTime[0]!),
    payloadEnd: Uint32Array.from(
      batches,
      (
        (end) =>
        ({ bytes }: RawBatch) =>
          (end += bytes.length)
      )(0),
    ),
    bytes: Buffer.concat(batches.map(({ bytes }) => bytes)),
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

async function pages(
  source: DeadLetterSource,
  filter: Parameters<typeof listDeadLetters>[1],
  limit: number,
): Promise<number[][]> {
  const all: number[][] = [];
  let cursor: string | undefined;
  do {
    const page = await listDeadLetters(source, filter, limit, cursor);
    all.push(page.items.map(({ originalPosition }) => originalPosition));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

describe('a letter', () => {
  test('keeps payload, origin, position and received time of its record, and says why', () => {
    const from = origin('d-1', { attributes: { publisherId: 'gateway-1' } });
    const work = new Work();
    work.begin(logged([record(from, { a: 1 }, T0 - 5), record(from, { b: 2 }, T0 - 3)], 40), []);
    work.failures.push({ recordIndex: 1, ...REFUSED });
    const { batch, codes } = deadLetterBatch(work, T0 + 1000)!;
    const [letter] = lettersOf(batch);
    expect(codes).toEqual(['DEVICE_UNKNOWN']);
    expect(letter).toMatchObject({
      ...REFUSED,
      ...{ organizationId: ORGANIZATION.id, partial: false, rejections: [] },
      ...{ receivedTime: T0 - 3, deadTime: T0 + 1000, originalPartition: 0, originalPosition: 41 },
    });
    expect(letter!.origin).toMatchObject({
      deviceId: 'd-1',
      topic: from.topic,
      codec: 'json',
      attributes: { publisherId: 'gateway-1' },
    });
    expect(Buffer.from(letter!.payload).toString()).toBe('{"b":2}');
  });

  test('of a record in part says which metrics; one letter a record, in their order; long lists and texts are cut', () => {
    const work = new Work();
    const from = origin('d-1');
    work.begin(
      logged([record(from, 0), record(from, 1), record(from, 2)]),
      new Array(3).fill(new Routes(directoryOf([])).routeOf(from)),
    );
    for (const recordIndex of [0, 1]) {
      work.decoded.beginRecord(recordIndex);
      work.decoded.addNumber('fine', T0, 1, 192);
    }
    work.series.push({} as never, null);
    for (let at = 0; at < 30; at++) {
      work.rejections.push({
        recordIndex: 0,
        metric: `m${'x'.repeat(300)}`,
        code: 'VALUE_NOT_ACCEPTED',
        message: 'y'.repeat(2000),
      });
    }
    work.rejections.push({ recordIndex: 1, metric: 'fine', code: 'TIME_INVALID', message: 'no time' });
    work.failures.push({ recordIndex: 2, ...REFUSED });
    const [first, second, third] = lettersOf(deadLetterBatch(work, T0)!.batch);
    expect([first!.partial, first!.code, first!.rejections.length]).toEqual([true, 'VALUE_NOT_ACCEPTED', 20]);
    expect(first!.rejections[0]!.metric.length).toBeLessThan(130);
    expect(first!.message.length).toBeLessThan(510);
    expect([second!.partial, second!.code, second!.message]).toEqual([false, 'TIME_INVALID', 'fine: no time']);
    expect([third!.originalPosition, third!.code]).toEqual([2, 'DEVICE_UNKNOWN']);
  });

  test('none where nothing was refused', () => {
    const work = new Work();
    work.begin(logged([record(origin('d-1'), {})]), []);
    expect(deadLetterBatch(work, T0)).toBeNull();
  });

  test('replayed: same payload and received time, its first position, and nothing of the refusal', () => {
    const [letter] = lettersOf(letters([7]));
    const again = replayedRecord(letter!);
    expect(again.receivedTime).toBe(T0);
    expect(again.payload).toEqual(letter!.payload);
    expect(again.origin.attributes).toEqual({ originalPosition: 7, replays: 1 });
    // It fails again, far behind in the log, and is replayed once more.
    const work = new Work();
    work.begin(logged([again], 900), []);
    work.failures.push({ recordIndex: 0, ...REFUSED });
    const [second] = lettersOf(deadLetterBatch(work, T0 + 9)!.batch);
    expect([second!.originalPosition, second!.receivedTime]).toEqual([7, T0]);
    expect(replayedRecord(second!).origin.attributes).toEqual({ originalPosition: 7, replays: 2 });
  });
});

describe('listing', () => {
  test.each([
    ['nothing', 0, 10, 1],
    ['one page', 7, 10, 1],
    ['a full page, and an empty one behind', 10, 10, 2],
    ['many pages over several spans', 1234, 100, 13],
  ])('%s: newest first, each once', async (_, count, limit, pageCount) => {
    const { log, source } = topic();
    if (count > 0) await log.append('dead-letters', letters(range(0, count)));
    const found = await pages(source, { organizationId: ORGANIZATION.id }, limit);
    expect(found.length).toBe(pageCount);
    expect(found.flat()).toEqual(range(0, count).reverse());
  });

  test('all partitions, also with a cursor', async () => {
    const { log, source } = topic(4);
    for (const device of range(0, 12)) await log.append('dead-letters', letters([device], `d-${device}`));
    const used = (await log.bounds('dead-letters')).filter(({ next }) => next > 0).length;
    const found = (await pages(source, { organizationId: ORGANIZATION.id }, 5)).flat();
    expect(used).toBeGreaterThan(1);
    expect(found.sort((a, b) => a - b)).toEqual(range(0, 12));
  });

  test('what arrives while somebody turns pages moves nothing', async () => {
    const { log, source } = topic();
    await log.append('dead-letters', letters(range(0, 20)));
    const first = await listDeadLetters(source, { organizationId: ORGANIZATION.id }, 10);
    await log.append('dead-letters', letters(range(20, 40)));
    const second = await listDeadLetters(source, { organizationId: ORGANIZATION.id }, 10, first.nextCursor!);
    expect(second.items.map(({ originalPosition }) => originalPosition)).toEqual(range(0, 10).reverse());
  });

  test('by code and by device (any of its names)', async () => {
    const { log, source } = topic();
    await log.append('dead-letters', letters([0, 1], 'd-1'));
    await log.append('dead-letters', letters([2], 'd-1-key'));
    await log.append(
      'dead-letters',
      letters([3], 'd-2', ORGANIZATION.id, { code: 'TIME_IN_FUTURE', message: 'later' }),
    );
    const list = async (more: object): Promise<number[]> =>
      (await pages(source, { organizationId: ORGANIZATION.id, ...more }, 10)).flat();
    expect(await list({ code: 'TIME_IN_FUTURE' })).toEqual([3]);
    expect(await list({ deviceIds: ['d-1', 'd-1-key'] })).toEqual([2, 1, 0]);
    expect(await list({ deviceIds: ['d-2'], code: 'DEVICE_UNKNOWN' })).toEqual([]);
  });

  test('never another organisation, whatever the filter, page or cursor', async () => {
    const { log, source } = topic();
    for (const at of range(0, 60))
      await log.append('dead-letters', letters([at], 'd-1', at % 3 === 0 ? ORGANIZATION.id : OTHER));
    const own = range(0, 60)
      .filter((at) => at % 3 === 0)
      .reverse();
    for (const limit of [1, 7, 100]) {
      expect((await pages(source, { organizationId: ORGANIZATION.id, deviceIds: ['d-1'] }, limit)).flat()).toEqual(own);
    }
    for (const position of range(0, 61)) {
      const { items } = await listDeadLetters(source, { organizationId: ORGANIZATION.id }, 5, `0-${position}`);
      expect(items.every(({ organizationId }) => organizationId === ORGANIZATION.id)).toBe(true);
    }
  });

  test('what a crash has repeated is shown once, also where a page ends between the two', async () => {
    const { log, source } = topic();
    await log.append('dead-letters', letters(range(0, 30)));
    await log.append('dead-letters', letters(range(10, 40)));
    for (const limit of [5, 29, 30, 31, 100]) {
      const found = (await pages(source, { organizationId: ORGANIZATION.id }, limit)).flat();
      expect(found, `pages of ${limit}`).toEqual(range(0, 40).reverse());
    }
  });

  test('the same record refused for another reason is another letter', async () => {
    const { log, source } = topic();
    await log.append('dead-letters', letters([5]));
    await log.append(
      'dead-letters',
      letters([5], 'd-1', ORGANIZATION.id, { code: 'TIME_INVALID', message: 'no time' }),
    );
    expect((await pages(source, { organizationId: ORGANIZATION.id }, 10)).flat()).toEqual([5, 5]);
  });

  test('one call looks through so many records only; a short page then goes on', async () => {
    const { log, source, reads } = topic();
    await log.append('dead-letters', letters([1]));
    const strangers = letters(range(0, 1000), 'd-1', OTHER);
    for (const _ of range(0, 60)) await log.append('dead-letters', strangers);
    const first = await listDeadLetters(source, { organizationId: ORGANIZATION.id }, 10);
    expect([first.items.length, first.nextCursor !== null]).toEqual([0, true]);
    expect(reads()).toBeLessThanOrEqual(101);
    expect((await pages(source, { organizationId: ORGANIZATION.id }, 10)).flat()).toEqual([1]);
  });

  test('letters that retention deletes meanwhile are left out', async () => {
    const { log, source } = topic();
    for (const first of [0, 10]) await log.append('dead-letters', letters(range(first, first + 10)));
    const late: DeadLetterSource = {
      ...source,
      bounds: async () => [{ partition: 0, first: 10, next: 20 }],
      read: async (partition, from, recordsMax) => {
        if (from < 10) throw new FieldlineError('LOG_POSITION_GONE', `position ${from} is gone`);
        return source.read(partition, from, recordsMax);
      },
    };
    let asked = 0;
    const before: DeadLetterSource = {
      ...late,
      bounds: async () => (asked++ === 0 ? [{ partition: 0, first: 0, next: 20 }] : late.bounds()),
    };
    const { items } = await listDeadLetters(before, { organizationId: ORGANIZATION.id }, 100);
    expect(items.map(({ originalPosition }) => originalPosition)).toEqual(range(10, 20).reverse());
  });

  test.each(['', 'x', '0', '0-', '-1', '0-1-2', '0x1-2', '99999999-1'])('cursor "%s" is refused', async (cursor) => {
    const { source } = topic();
    await expect(listDeadLetters(source, { organizationId: ORGANIZATION.id }, 10, cursor)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
  });
});

test.each([
  ['the first', '0-0', 0],
  ['the last', '0-19', 19],
  ['behind the last', '0-20', null],
  ['another partition', '3-0', null],
  ['no id', 'letter', null],
])('found by id: %s', async (_, id, position) => {
  const { log, source } = topic();
  await log.append('dead-letters', letters(range(0, 20)));
  expect((await findDeadLetter(source, id))?.originalPosition ?? null).toBe(position);
});
