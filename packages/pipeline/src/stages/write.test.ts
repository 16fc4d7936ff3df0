import { QUALITY_GOOD } from '@fieldline/model';
import { expect, test } from 'vitest';
import { Routes } from '../routes.ts';
import { SampleBatchBuilder } from '../sample-batch-builder.ts';
import { type DeviceState, SeriesState } from '../series-state.ts';
import { device, directoryOf, logged, origin, record, sampleAt, series, T0, type TestRecord } from '../testing.ts';
import { Work } from '../work.ts';
import { noteLastSeen, write } from './write.ts';

const routes = new Routes(directoryOf([device('pump')]));

/** A work whose record i brings one sample of `state` at times[i] with value i; null = refused. */
function workOf(state: SeriesState, times: (number | null)[], records?: TestRecord[], firstPosition = 100): Work {
  const batch = logged(records ?? times.map(() => record(origin('pump'), {})), firstPosition);
  const work = new Work();
  const of = batch.origins.map((one) => routes.routeOf(one));
  work.begin(batch, of);
  for (const [index, time] of times.entries()) {
    work.decoded.beginRecord(index);
    work.decoded.addNumber('m', T0 + (time ?? 0), index, QUALITY_GOOD);
    work.series[index] = time === null ? null : state;
  }
  return work;
}

test('rows without a series are left out; the version is the position of the record', () => {
  const into = new SampleBatchBuilder(1);
  write(workOf(new SeriesState(series(7, 'pump', 'm')), [0, null, 2]), into);
  const batch = into.view();
  expect([0, 1].map((row) => sampleAt(batch, row))).toEqual([
    { seriesId: 7, sourceTime: T0, receivedTime: T0, value: 0, text: null, quality: 192, version: 100 },
    { seriesId: 7, sourceTime: T0 + 2, receivedTime: T0, value: 2, text: null, quality: 192, version: 102 },
  ]);
  expect([batch.count, into.positionOf(1)]).toEqual([2, 102]);
});

test('a replayed record keeps the version of its first arrival', () => {
  const into = new SampleBatchBuilder(1);
  const replayed = record(origin('pump', { attributes: { originalPosition: 3 } }), {});
  write(workOf(new SeriesState(series(7, 'pump', 'm')), [0], [replayed]), into);
  expect([into.view().version[0], into.positionOf(0)]).toEqual([3, 100]);
});

test.each([
  ['in order', [0, 1, 2], 2],
  ['late', [5, 1, 3, 6], 3],
  ['corrected', [5, 5], 1],
])('newest value: %s', (_, times, newest) => {
  const state = new SeriesState(series(7, 'pump', 'm'));
  write(workOf(state, times), new SampleBatchBuilder());
  expect(state.newestValue).toBe(newest);
});

test('an older version at the newest time changes nothing', () => {
  const state = new SeriesState(series(7, 'pump', 'm'));
  const into = new SampleBatchBuilder();
  write(workOf(state, [5], undefined, 100), into);
  write(
    workOf(
      state,
      [5, 5],
      [
        record(origin('pump', { attributes: { originalPosition: 3 } }), {}),
        record(origin('pump', { attributes: { originalPosition: 4 } }), {}),
      ],
      101,
    ),
    into,
  );
  expect([state.newestVersion, into.count]).toEqual([100, 3]);
});

test('a batch is cut between records, near the middle', () => {
  const into = new SampleBatchBuilder();
  into.reserve(6);
  into.recordPosition.set([1, 1, 1, 1, 2, 3]);
  into.count = 6;
  expect([into.middleOf(0, 6), into.middleOf(4, 6), into.middleOf(0, 4), into.middleOf(0, 5)]).toEqual([4, 5, 4, 4]);
});

test('a slice has its own texts', () => {
  const into = new SampleBatchBuilder();
  into.count = 4;
  into.setText(1, 'one');
  into.setText(3, 'three');
  expect([...(into.view(2, 4).texts ?? [])]).toEqual([[1, 'three']]);
  expect(into.view(2, 3).texts).toBeNull();
});

test('a device is seen when it speaks, not when its records are replayed or imported', () => {
  const heard: DeviceState[] = [];
  const state = routes.deviceState('pump')!;
  const at = (receivedTime: number, more = {}): TestRecord => record(origin('pump', more), {}, receivedTime);
  const see = (...records: TestRecord[]): void =>
    noteLastSeen(
      workOf(
        new SeriesState(series(7, 'pump', 'm')),
        records.map(() => 0),
        records,
      ),
      heard,
    );
  see(at(T0 + 9, { attributes: { originalPosition: 1 } }), at(T0 + 9, { source: 'import' }));
  expect(heard).toEqual([]);
  see(at(T0 + 2), at(T0 + 1));
  see(at(T0 + 3));
  expect([heard.length, state.lastSeen]).toEqual([1, T0 + 3]);
});
