/**
 * The conformance suite: what the comment on the port promises, tried on an adapter. Every adapter runs it, the one in
 * memory first. Crashes and damage are tried where the files are: embedded/*.test.ts.
 */
import type { Clock } from '@fieldline/kit';
import type { RawBatch } from '@fieldline/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log, TopicName, TopicSettings } from './log.ts';
import { readAll, recordsOf, TestOrigins, testBatch, testRecords } from './testing.ts';

export interface LogUnderTest {
  /** Opens the log; a second call, after close(), opens the same one again. */
  open(topics: Partial<Record<TopicName, TopicSettings>>, clock?: Clock): Promise<Log>;
  /** Removes what is left. */
  dispose(): Promise<void>;
}

const TOPIC = 'telemetry.raw';
const KEPT: TopicSettings = { partitions: 1, retentionMs: null, retentionBytes: null };

export function describeLogConformance(name: string, create: () => Promise<LogUnderTest>): void {
  describe(`${name} log`, () => {
    let under: LogUnderTest;
    let log: Log;
    let origins: TestOrigins;
    const open = async (settings: Partial<TopicSettings> = {}): Promise<Log> => {
      log = await under.open({ [TOPIC]: { ...KEPT, ...settings }, events: KEPT });
      return log;
    };
    const append = (from: number, count: number): ReturnType<Log['append']> =>
      log.append(TOPIC, testBatch(origins, testRecords(from, count)));

    beforeEach(async () => {
      under = await create();
      origins = new TestOrigins();
    });
    afterEach(async () => {
      await log.close();
      await under.dispose();
    });

    it('gives back what was appended: origins, times, payloads, positions without gaps', async () => {
      await open();
      expect(await append(0, 10)).toEqual([{ partition: 0, firstPosition: 0, count: 10 }]);
      expect(await append(10, 5)).toEqual([{ partition: 0, firstPosition: 10, count: 5 }]);
      const all = await readAll(log, TOPIC);
      expect(all.map(({ position, ...record }) => record)).toEqual(testRecords(0, 15));
      expect(all.map(({ position }) => position)).toEqual(Array.from({ length: 15 }, (_, i) => i));
      const batch = (await log.read(TOPIC, 0, 0))!;
      expect(batch).toMatchObject({ topic: TOPIC, partition: 0, firstPosition: 0 });
      expect(batch.origins).toContainEqual(origins.of('device-0'));
    });

    it('keeps attributes of origins and empty payloads', async () => {
      await open();
      const origin = { ...origins.of('a'), attributes: { reason: 'Grün "x"', position: 7, again: true } };
      const one: RawBatch = {
        count: 2,
        origins: [origins.of('unused'), origin],
        originIndex: new Uint32Array([1, 1, 9]),
        receivedTime: new Float64Array([5, 6, 0]),
        payloadEnd: new Uint32Array([0, 0, 0]),
        bytes: new Uint8Array(3),
      };
      await log.append(TOPIC, one);
      const batch = (await log.read(TOPIC, 0, 0))!;
      expect(batch.count).toBe(2);
      expect(batch.origins[batch.originIndex[1]!]).toEqual(origin);
      expect(batch.bytes.length).toBe(0);
    });

    it('gives equal origins out as the identical object', async () => {
      await open();
      await append(0, 5);
      const first = (await log.read(TOPIC, 0, 0))!;
      await append(5, 5);
      const second = (await log.read(TOPIC, 0, 5))!;
      expect(second.origins[0]).toBe(first.origins[0]);
    });

    it('takes an empty batch without a trace', async () => {
      await open();
      expect(await append(0, 0)).toEqual([]);
      expect(await log.read(TOPIC, 0, 0)).toBeNull();
      expect((await log.bounds(TOPIC))[0]).toMatchObject({ first: 0, next: 0 });
    });

    it('reads from any position, within the limits, without overlap', async () => {
      await open();
      for (let i = 0; i < 10; i++) await append(i * 10, 10);
      for (const limits of [
        { recordsMax: 1 },
        { recordsMax: 7 },
        { bytesMax: 1 },
        { bytesMax: 200 },
        { bytesMax: 1500 },
      ]) {
        const all = await readAll(log, TOPIC, 0, 13, limits);
        expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 87 }, (_, i) => 13 + i));
      }
      const batch = (await log.read(TOPIC, 0, 42, { bytesMax: 200 }))!;
      expect(batch.bytes.length).toBeLessThanOrEqual(200);
      expect((await log.read(TOPIC, 0, 42, { recordsMax: 3 }))!.count).toBe(3);
    });

    it('splits by device over the partitions and keeps the order of each device', async () => {
      await open({ partitions: 4 });
      for (let i = 0; i < 20; i++) await append(i * 20, 20);
      const partitionOf = new Map<string, number>();
      const lastOf = new Map<string, number>();
      let count = 0;
      for (let partition = 0; partition < 4; partition++) {
        const all = await readAll(log, TOPIC, partition);
        expect(all.map(({ position }) => position)).toEqual(all.map((_, i) => i));
        for (const { deviceId, sequence } of all) {
          expect(partitionOf.get(deviceId) ?? partition).toBe(partition);
          partitionOf.set(deviceId, partition);
          expect(sequence).toBeGreaterThan(lastOf.get(deviceId) ?? -1);
          lastOf.set(deviceId, sequence);
          count += 1;
        }
      }
      expect(count).toBe(400);
      expect(new Set(partitionOf.values()).size).toBeGreaterThan(1);
    });

    it('writes overlapping appends in the order of the calls', async () => {
      await open();
      const ranges = await Promise.all(Array.from({ length: 200 }, (_, i) => append(i * 3, 3)));
      expect(ranges.map(([range]) => range!.firstPosition)).toEqual(Array.from({ length: 200 }, (_, i) => i * 3));
      const all = await readAll(log, TOPIC);
      expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 600 }, (_, i) => i));
    });

    it('takes records that are larger than what is read at once', async () => {
      await open();
      const sizes = [10, 6_000_000, 10, 5_000_000];
      for (const [i, size] of sizes.entries()) await log.append(TOPIC, testBatch(origins, testRecords(i, 1), size));
      await log.append(TOPIC, testBatch(origins, testRecords(4, 12), 1_000_000));
      const all = await readAll(log, TOPIC, 0, 0, { bytesMax: 100_000 });
      expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 16 }, (_, i) => i));
      expect((await readAll(log, TOPIC)).length).toBe(16);
    });

    it('lets readers read independently and keeps topics apart', async () => {
      await open();
      await append(0, 30);
      await log.append('events', testBatch(origins, testRecords(500, 2)));
      const [first, second] = await Promise.all([
        readAll(log, TOPIC, 0, 0, { recordsMax: 4 }),
        readAll(log, TOPIC, 0, 0, { recordsMax: 9 }),
      ]);
      expect(first).toEqual(second);
      expect((await readAll(log, 'events')).map(({ sequence }) => sequence)).toEqual([500, 501]);
    });

    it('waits for the next record, and not longer than it may', async () => {
      await open();
      await append(0, 1);
      const waiting = log.read(TOPIC, 0, 1, { waitMs: 20_000 });
      await append(1, 1);
      expect(recordsOf((await waiting)!)).toMatchObject([{ sequence: 1, position: 1 }]);
      expect(await log.read(TOPIC, 0, 2, { waitMs: 5 })).toBeNull();
      expect(await log.read(TOPIC, 0, 2)).toBeNull();
    });

    it('wakes a waiting reader for each record, however the two meet', async () => {
      await open();
      const appending = (async () => {
        for (let i = 0; i < 200; i++) await append(i, 1);
      })();
      // Every wait is far longer than the test may last: one wake-up that is missed would fail it.
      let next = 0;
      while (next < 200) {
        const batch = await log.read(TOPIC, 0, next, { waitMs: 600_000 });
        next += batch?.count ?? 0;
      }
      await appending;
    });

    it('ends a wait when it is aborted or the log is closed', async () => {
      await open();
      const abort = new AbortController();
      const aborted = log.read(TOPIC, 0, 0, { waitMs: 20_000, signal: abort.signal });
      abort.abort();
      expect(await aborted).toBeNull();
      const closed = log.read(TOPIC, 0, 0, { waitMs: 20_000 });
      await log.close();
      expect(await closed).toBeNull();
      await expect(append(0, 1)).rejects.toMatchObject({ code: 'STOPPED' });
      await expect(log.read(TOPIC, 0, 0)).rejects.toMatchObject({ code: 'STOPPED' });
      await log.close();
    });

    it('finds a position by time, also where times went back', async () => {
      await open();
      for (let i = 0; i < 10; i++) await append(i * 10, 10);
      await append(0, 1);
      const timeOf = (sequence: number): number => testRecords(sequence, 1)[0]!.receivedTime;
      for (const sequence of [0, 1, 9, 10, 55, 99]) {
        expect(await log.positionAtTime(TOPIC, 0, timeOf(sequence))).toBe(sequence);
        expect(await log.positionAtTime(TOPIC, 0, timeOf(sequence) - 1)).toBe(sequence);
      }
      expect(await log.positionAtTime(TOPIC, 0, timeOf(100))).toBe(101);
      expect(await log.positionAtTime('events', 0, 0)).toBe(0);
    });

    it('stores the positions of consumer groups', async () => {
      await open({ partitions: 2 });
      await append(0, 40);
      expect(await log.committedPosition('pipeline', TOPIC, 0)).toBeNull();
      await log.commitPosition('pipeline', TOPIC, 0, 5);
      await log.commitPosition('other', TOPIC, 0, 1);
      await log.commitPosition('pipeline', TOPIC, 0, 3);
      expect(await log.committedPosition('pipeline', TOPIC, 0)).toBe(3);
      expect(await log.committedPosition('other', TOPIC, 0)).toBe(1);
      expect(await log.committedPosition('pipeline', TOPIC, 1)).toBeNull();
      await expect(log.commitPosition('pipeline', TOPIC, 0, 1000)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    });

    it('deletes old records, says so to who asks for them, and keeps the newest', async () => {
      await open({ retentionMs: 1 });
      for (let i = 0; i < 20; i++) await append(i * 100, 100);
      const before = (await log.bounds(TOPIC))[0]!;
      expect(before).toMatchObject({ first: 0, next: 2000 });
      const now = testRecords(1500, 1)[0]!.receivedTime + 1000;
      const freed = await log.enforceRetention(now);
      const after = (await log.bounds(TOPIC))[0]!;
      expect(freed).toBeGreaterThan(0);
      expect(after.byteLength).toBe(before.byteLength - freed);
      expect(after.first).toBeGreaterThan(0);
      expect(after.first).toBeLessThanOrEqual(1500);
      await expect(log.read(TOPIC, 0, 0)).rejects.toMatchObject({ code: 'LOG_POSITION_GONE' });
      await expect(log.read(TOPIC, 0, after.first - 1)).rejects.toMatchObject({ code: 'LOG_POSITION_GONE' });
      const rest = await readAll(log, TOPIC, 0, after.first);
      expect(rest.map(({ sequence }) => sequence)).toEqual(
        testRecords(after.first, 2000 - after.first).map((r) => r.sequence),
      );
      expect(await log.positionAtTime(TOPIC, 0, 0)).toBe(after.first);
      expect(await append(2000, 1)).toMatchObject([{ firstPosition: 2000 }]);
    });

    it('deletes the oldest records of a topic that is too large', async () => {
      await open({ retentionBytes: 50_000 });
      for (let i = 0; i < 20; i++) await append(i * 100, 100);
      await log.enforceRetention(0);
      const after = (await log.bounds(TOPIC))[0]!;
      expect(after.byteLength).toBeLessThanOrEqual(50_000);
      expect(after.first).toBeGreaterThan(0);
      expect((await readAll(log, TOPIC, 0, after.first)).length).toBe(2000 - after.first);
      expect(await log.enforceRetention(0)).toBe(0);
    });

    it('keeps what somebody has not had yet, however old it is and however large the topic', async () => {
      await open({ retentionMs: 1, retentionBytes: 1 });
      for (let i = 0; i < 20; i++) await append(i * 100, 100);
      const now = testRecords(3000, 1)[0]!.receivedTime;
      expect(await log.enforceRetention(now, () => 0)).toBe(0);
      expect((await log.bounds(TOPIC))[0]).toMatchObject({ first: 0 });
      await log.enforceRetention(now, (topic, partition) => (topic === TOPIC && partition === 0 ? 950 : null));
      const { first } = (await log.bounds(TOPIC))[0]!;
      expect(first).toBeGreaterThan(0);
      expect(first).toBeLessThanOrEqual(950);
      expect((await log.read(TOPIC, 0, 950))!.firstPosition).toBe(950);
      await log.enforceRetention(now, () => null);
      expect((await log.bounds(TOPIC))[0]!.first).toBeGreaterThan(950);
    });

    it('leaves out positions that its consumers have had from a log that was lost', async () => {
      await open();
      await log.advance(TOPIC, 0, 500);
      expect((await log.bounds(TOPIC))[0]).toMatchObject({ next: 500 });
      expect(await append(0, 10)).toMatchObject([{ firstPosition: 500 }]);
      expect((await log.read(TOPIC, 0, 500))!.firstPosition).toBe(500);
      await log.advance(TOPIC, 0, 3);
      expect(await append(10, 10)).toMatchObject([{ firstPosition: 510 }]);
      await log.advance(TOPIC, 0, 1000);
      expect(await append(20, 10)).toMatchObject([{ firstPosition: 1000 }]);
      expect((await log.read(TOPIC, 0, 700))!.firstPosition).toBe(1000);
      if (!log.supports.persistent) return;
      await log.close();
      await open();
      expect(await append(30, 1)).toMatchObject([{ firstPosition: 1010 }]);
      expect(await readAll(log, TOPIC, 0, 500)).toHaveLength(31);
    });

    it('says which topic or partition it does not have', async () => {
      await open();
      await expect(log.read(TOPIC, 1, 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(log.append('commands', testBatch(origins, testRecords(0, 1)))).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      await expect(log.committedPosition('g', 'commands', 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('finds everything again after a restart, if it is one that lasts', async () => {
      await open();
      if (!log.supports.persistent) return;
      for (let i = 0; i < 30; i++) await append(i * 100, 100);
      await log.commitPosition('pipeline', TOPIC, 0, 1234);
      const all = await readAll(log, TOPIC);
      const bounds = await log.bounds(TOPIC);
      for (let round = 0; round < 3; round++) {
        await log.close();
        await open();
        expect(await log.bounds(TOPIC)).toEqual(bounds);
        expect(await log.committedPosition('pipeline', TOPIC, 0)).toBe(1234);
      }
      expect(await readAll(log, TOPIC)).toEqual(all);
      expect(await append(3000, 1)).toMatchObject([{ firstPosition: 3000 }]);
    });
  });
}
