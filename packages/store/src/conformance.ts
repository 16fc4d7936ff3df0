/**
 * The store's contract as tests. Every adapter runs them; each test opens a store of its own. The clock is the argument of
 * maintain(); settle() calls it as often as background work may need.
 */
import {
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  MICROS_PER_SECOND,
  QUALITY_BAD,
  QUALITY_UNCERTAIN,
  type ReadPosition,
  type SeriesDefinition,
} from '@fieldline/model';
import { afterEach, describe, expect, test } from 'vitest';
import type { RetentionSettings, TelemetryStore } from './store.ts';
import { batchOf, seriesOf, type TestRow } from './test-batch.ts';

export interface StoreHarness {
  /** An empty store that seals, compacts and rolls up whenever maintain() is called. */
  open(retention: RetentionSettings): Promise<TelemetryStore>;
  /** Closes and opens the same data again; absent where nothing is kept. */
  reopen?(store: TelemetryStore): Promise<TelemetryStore>;
  dispose(store: TelemetryStore): Promise<void>;
}

const KEEP_ALL: RetentionSettings = { rawMs: null, hourlyMs: null, dailyMs: null };
const START = Date.UTC(2026, 0, 10) * 1000;
const LATER = START + 400 * MICROS_PER_DAY;
const EVERYTHING = { from: 0, to: START + 1000 * MICROS_PER_DAY };
const ROUNDS = 6;

export function testStore(name: string, harness: StoreHarness): void {
  describe(`store contract: ${name}`, () => {
    let store: TelemetryStore | null = null;
    let position: ReadPosition;

    async function opened(retention = KEEP_ALL): Promise<TelemetryStore> {
      store = await harness.open(retention);
      position = await store.acquire('telemetry.raw', 0);
      return store;
    }

    async function append(rows: readonly TestRow[]): Promise<void> {
      position = { ...position, next: position.next + 1 };
      await store!.append(batchOf(rows), position);
    }

    async function settle(now = LATER): Promise<void> {
      for (let round = 0; round < ROUNDS; round += 1) await store!.maintain(now);
    }

    async function values(seriesId = 1): Promise<number[]> {
      const [found] = await store!.readRaw({ seriesIds: [seriesId], ...EVERYTHING, limit: 1000 });
      return [...found!.value];
    }

    /** Looks before and after background work, and after opening again where that keeps anything. */
    async function always(look: () => Promise<void>): Promise<void> {
      await look();
      await settle();
      await look();
      if (harness.reopen !== undefined) store = await harness.reopen(store!);
      await look();
    }

    afterEach(async () => {
      if (store !== null) await harness.dispose(store);
      store = null;
    });

    test('a sample comes back as it was appended', async () => {
      await opened();
      const sourceTime = START + 123_457;
      await append([
        { sourceTime, receivedTime: sourceTime + 77_777, value: 0.1 + 0.2, quality: QUALITY_UNCERTAIN },
        { seriesId: 2, sourceTime, text: 'läuft', receivedTime: sourceTime - 5 },
        { seriesId: 3, sourceTime, value: -0 },
      ]);
      await always(async () => {
        const [number, text, zero, none] = await store!.readRaw({ seriesIds: [1, 2, 3, 4], ...EVERYTHING, limit: 10 });
        expect(number).toEqual({
          seriesId: 1,
          sourceTime: Float64Array.of(sourceTime),
          receivedTime: Float64Array.of(sourceTime + 77_777),
          value: Float64Array.of(0.1 + 0.2),
          quality: Uint8Array.of(QUALITY_UNCERTAIN),
          texts: null,
        });
        expect(text!.texts).toEqual(new Map([[0, 'läuft']]));
        expect(text!.value[0]).toBeNaN();
        expect(text!.receivedTime[0]).toBe(sourceTime - 5);
        expect(Object.is(zero!.value[0], -0)).toBe(true);
        expect(none!.sourceTime).toHaveLength(0);
      });
    });

    test('rows come in order of source time, whatever the order of arrival', async () => {
      await opened();
      await append([3, 1, 2].map((second) => ({ sourceTime: START + second * MICROS_PER_SECOND, value: second })));
      await settle();
      await append([{ sourceTime: START, value: 0 }]);
      await always(async () => expect(await values()).toEqual([0, 1, 2, 3]));
    });

    test('of one identity the highest version wins, in any order of arrival, and only it is shown', async () => {
      await opened();
      await append([{ sourceTime: START, value: 2, version: 20 }]);
      await append([{ sourceTime: START, value: 1, version: 10 }]);
      await always(async () => expect(await values()).toEqual([2]));
      await append([{ sourceTime: START, value: 3, version: 30 }]);
      await append([{ sourceTime: START, value: 99, version: 30 }]);
      await always(async () => expect(await values()).toEqual([3]));
      await append([{ sourceTime: START, value: 1, version: 10 }]);
      await always(async () => {
        expect(await values()).toEqual([3]);
        expect((await store!.latest([1]))[0]!.value).toBe(3);
      });
    });

    test('limit takes from the start, or from the end with desc', async () => {
      await opened();
      await append(Array.from({ length: 10 }, (_, day) => ({ sourceTime: START + day * MICROS_PER_DAY, value: day })));
      await always(async () => {
        const query = { seriesIds: [1], ...EVERYTHING, limit: 3 };
        expect([...(await store!.readRaw(query))[0]!.value]).toEqual([0, 1, 2]);
        expect([...(await store!.readRaw({ ...query, order: 'desc' }))[0]!.value]).toEqual([7, 8, 9]);
      });
    });

    test('positions: kept with the batch, fenced by epoch, never back', async () => {
      await opened();
      await append([{ sourceTime: START, value: 1 }]);
      const stale = position;
      position = await store!.acquire('telemetry.raw', 0);
      expect(position).toEqual({ topic: 'telemetry.raw', partition: 0, epoch: stale.epoch + 1, next: stale.next });
      const batch = batchOf([{ sourceTime: START + 1, value: 2 }]);
      await expect(store!.append(batch, { ...stale, next: 9 })).rejects.toMatchObject({ code: 'WRITER_FENCED' });
      await expect(store!.append(batch, position)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await values()).toEqual([1]);
      await append([{ sourceTime: START + 1, value: 2 }]);
      await append([]);
      if (harness.reopen !== undefined) store = await harness.reopen(store!);
      expect(await store!.acquire('telemetry.raw', 0)).toEqual({ ...position, epoch: position.epoch + 1 });
      expect((await store!.acquire('telemetry.raw', 1)).next).toBe(0);
    });

    test('buckets: what goes in, what is left out', async () => {
      await opened();
      const at = (second: number): number => START + second * MICROS_PER_SECOND;
      await append([
        { sourceTime: at(1), value: 1 },
        { sourceTime: at(2), value: 2, quality: QUALITY_UNCERTAIN },
        { sourceTime: at(3), value: 6 },
        { sourceTime: at(4), value: 1000, quality: QUALITY_BAD },
        { sourceTime: at(70), text: 'stop' },
        { sourceTime: at(200), value: 5 },
      ]);
      await always(async () => {
        const query = { seriesIds: [1], ...EVERYTHING, resolution: '1m', limit: 100 } as const;
        const [found] = await store!.readBuckets(query);
        expect([...found!.start]).toEqual([at(0), at(60), at(180)]);
        expect([...found!.count]).toEqual([3, 0, 1]);
        expect([...found!.average]).toEqual([3, Number.NaN, 5]);
        expect([...found!.minimum]).toEqual([1, Number.NaN, 5]);
        expect([...found!.maximum]).toEqual([6, Number.NaN, 5]);
        expect([...found!.first]).toEqual([1, Number.NaN, 5]);
        expect([...found!.last]).toEqual([6, Number.NaN, 5]);
        expect(found!.stddev[0]).toBeCloseTo(Math.sqrt(7), 12);
        expect(found!.stddev[2]).toBeNaN();
        expect([...found!.percentGood]).toEqual([50, 100, 100]);
        const [first] = await store!.readBuckets({ ...query, limit: 1 });
        expect([...first!.start]).toEqual([at(0)]);
      });
    });

    test('only what is in the range goes into a bucket, also at its ends', async () => {
      await opened();
      await append(
        Array.from({ length: 600 }, (_, minute) => ({ sourceTime: START + minute * MICROS_PER_MINUTE, value: 1 })),
      );
      const range = { from: START + 30 * MICROS_PER_MINUTE, to: START + 500 * MICROS_PER_MINUTE };
      await always(async () => {
        const [hours] = await store!.readBuckets({ seriesIds: [1], ...range, resolution: '1h', limit: 100 });
        expect([...hours!.count]).toEqual([30, 60, 60, 60, 60, 60, 60, 60, 20]);
      });
    });

    test.each([
      ['Europe/Berlin', Date.UTC(2026, 2, 28, 23), [23, 24]],
      ['Europe/Berlin', Date.UTC(2026, 9, 24, 22), [25, 24]],
      ['Asia/Kolkata', Date.UTC(2026, 0, 9, 18, 30), [24, 24]],
      ['America/Sao_Paulo', Date.UTC(2018, 10, 4, 3), [23, 24]],
      ['UTC', Date.UTC(2026, 0, 9), [24, 24]],
    ])('days in %s from %d', async (timeZone, startMs, hours) => {
      await opened();
      const from = startMs * 1000;
      const to = from + (hours[0]! + hours[1]!) * MICROS_PER_HOUR;
      const rows: TestRow[] = [];
      for (let time = from; time < to; time += 10 * MICROS_PER_MINUTE) rows.push({ sourceTime: time, value: 1 });
      await append(rows);
      await always(async () => {
        const [days] = await store!.readBuckets({
          seriesIds: [1],
          ...EVERYTHING,
          resolution: '1d',
          timeZone,
          limit: 9,
        });
        expect([...days!.count]).toEqual(hours.map((count) => count * 6));
        expect([...days!.start]).toEqual([from, from + hours[0]! * MICROS_PER_HOUR]);
      });
    });

    test('an unknown time zone is refused', async () => {
      await opened();
      await append([{ sourceTime: START }]);
      const query = { seriesIds: [1], ...EVERYTHING, resolution: '1d', timeZone: 'Mars/Base', limit: 9 } as const;
      await expect(store!.readBuckets(query)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    });

    test('late and corrected samples change buckets that were derived before', async () => {
      await opened();
      const at = (minute: number): number => START + minute * MICROS_PER_MINUTE;
      await append([0, 10, 70].map((minute) => ({ sourceTime: at(minute), value: minute })));
      await settle();
      await append([
        { sourceTime: at(10), value: 100, version: 2 },
        { sourceTime: at(5), value: -5, version: 2 },
      ]);
      await always(async () => {
        const [found] = await store!.readBuckets({ seriesIds: [1], ...EVERYTHING, resolution: '1h', limit: 9 });
        expect([...found!.count]).toEqual([3, 1]);
        expect([...found!.maximum]).toEqual([100, 70]);
        expect([...found!.minimum]).toEqual([-5, 70]);
        expect(found!.average[0]).toBeCloseTo(95 / 3, 9);
      });
    });

    test('down-sampling keeps every minimum and maximum', async () => {
      await opened();
      const rows = Array.from({ length: 5000 }, (_, second) => ({
        sourceTime: START + second * MICROS_PER_SECOND,
        value: second === 1234 ? 500 : second === 4321 ? -500 : Math.round(Math.sin(second / 50) * 100) / 10,
      }));
      await append(rows);
      await always(async () => {
        const range = { from: START, to: START + 5000 * MICROS_PER_SECOND };
        const [found] = await store!.downsample({ seriesIds: [1], ...range, points: 100 });
        expect(found!.value.length).toBeLessThanOrEqual(110);
        expect(found!.value.length).toBeGreaterThan(50);
        expect(found!.value).toContain(500);
        expect(found!.value).toContain(-500);
        expect(found!.sourceTime[0]).toBe(START);
        expect(found!.sourceTime.at(-1)).toBe(rows.at(-1)!.sourceTime);
        expect([...found!.sourceTime]).toEqual([...found!.sourceTime].sort((a, b) => a - b));
      });
      await expect(store!.downsample({ seriesIds: [1], from: 0, to: 1, points: 0 })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
    });

    test('latest is the newest by source time, of the series asked for or of all', async () => {
      await opened();
      await append([
        { sourceTime: START + 2, value: 2 },
        { sourceTime: START + 1, value: 1 },
        { seriesId: 7, sourceTime: START, text: 'on' },
      ]);
      await always(async () => {
        const latest = await store!.latest();
        expect(latest.map(({ seriesId, sourceTime }) => [seriesId, sourceTime])).toEqual([
          [1, START + 2],
          [7, START],
        ]);
        expect(latest[1]).toMatchObject({ text: 'on', value: Number.NaN });
        expect(await store!.latest([7, 8])).toHaveLength(1);
      });
    });

    test('a stream gives everything once, by series and time, in pages', async () => {
      await opened();
      const rows = [2, 1].flatMap((seriesId) =>
        Array.from({ length: 25_000 }, (_, index) => ({ seriesId, sourceTime: START + index * 1000, value: index })),
      );
      await append(rows);
      await settle();
      const seen: number[] = [];
      for await (const page of store!.stream({ seriesIds: [2, 1], ...EVERYTHING })) {
        expect(page.value.length).toBeLessThanOrEqual(100_000);
        for (const value of page.value) seen.push(page.seriesId * 1e6 + value);
      }
      expect(seen).toEqual(rows.map(({ seriesId, value }) => seriesId * 1e6 + value));
    });

    test('retention: samples go first, then hours, then days', async () => {
      const days = (count: number): number => count * 86_400_000;
      await opened({ rawMs: days(10), hourlyMs: days(50), dailyMs: days(100) });
      await append(
        Array.from({ length: 48 }, (_, hour) => ({ sourceTime: START + hour * MICROS_PER_HOUR, value: hour })),
      );
      const counts = async (): Promise<number[]> => {
        const hours = await store!.readBuckets({ seriesIds: [1], ...EVERYTHING, resolution: '1h', limit: 100 });
        const ofDays = await store!.readBuckets({ seriesIds: [1], ...EVERYTHING, resolution: '1d', limit: 100 });
        return [(await values()).length, hours[0]!.start.length, ofDays[0]!.start.length];
      };
      for (const [age, expected] of [
        [5, [48, 48, 2]],
        [12, [0, 48, 2]],
        [55, [0, 0, 2]],
        [105, [0, 0, 0]],
      ] as const) {
        await settle(START + (age + 0.5) * MICROS_PER_DAY);
        expect([age, ...(await counts())]).toEqual([age, ...expected]);
        if (harness.reopen !== undefined) store = await harness.reopen(store!);
        expect([age, ...(await counts())]).toEqual([age, ...expected]);
      }
      expect((await store!.latest([1]))[0]!.value).toBe(47);
    });

    test('series can be defined again, before and after their samples', async () => {
      await opened();
      await store!.defineSeries([inOwnOrganization(1, 'a'), inOwnOrganization(1, 'b'), inOwnOrganization(2, 'c')]);
      await append([{ seriesId: 1, sourceTime: START, value: 1 }]);
      await settle();
      await store!.defineSeries([inOwnOrganization(1, 'd')]);
      await always(async () => expect(await values()).toEqual([1]));
    });

    test('tells the series that it was told, and the highest number that one of its samples has', async () => {
      await opened();
      await store!.defineSeries([inOwnOrganization(1, 'a'), inOwnOrganization(2, 'b')]);
      await append([{ seriesId: 2, sourceTime: START, value: 1 }]);
      await always(async () => {
        const { series, highestId } = await store!.definedSeries();
        expect(highestId).toBe(2);
        if (store!.supports.persistent)
          expect([inOwnOrganization(1, 'a'), inOwnOrganization(2, 'b')]).toMatchObject(series);
      });
    });

    test('after close every call is refused', async () => {
      await opened();
      await store!.close();
      await store!.close();
      await expect((async () => store!.latest())()).rejects.toMatchObject({ code: 'STOPPED' });
      await expect((async () => store!.append(batchOf([]), position))()).rejects.toMatchObject({ code: 'STOPPED' });
    });
  });
}

/** Each id in an organisation of its own. */
function inOwnOrganization(id: number, metricKey: string): SeriesDefinition {
  return seriesOf(id, { organizationId: `org-${id}`, subjectId: 'device-1', metricKey });
}
