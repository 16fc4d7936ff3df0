import { QUALITY_GOOD } from '@fieldline/model';
import { expect, test } from 'vitest';
import { LiveFanOut } from './live.ts';
import { Routes } from './routes.ts';
import { SampleBatchBuilder } from './sample-batch-builder.ts';
import { write } from './stages/write.ts';
import { device, directoryOf, logged, ORGANIZATION, origin, record, series, T0 } from './testing.ts';
import { Work } from './work.ts';

const nobody = { devices: [], sites: [], organizations: [] };

/** Two devices, each sends `samples` samples of one series. */
function setUp(samples: number, samplesMax = 100): { live: LiveFanOut; routes: Routes; work: Work } {
  const live = new LiveFanOut(samplesMax);
  const all = [series(1, 'pump', 'temp'), series(2, 'robot', 'joint')];
  const routes = new Routes(directoryOf([device('pump', { siteId: 'site' }), device('robot')], all), (state) =>
    live.look(state),
  );
  const batch = logged([record(origin('pump'), {}), record(origin('robot'), {})]);
  const work = new Work();
  const of = batch.origins.map((one) => routes.routeOf(one));
  work.begin(batch, of);
  for (let at = 0; at < 2 * samples; at++) {
    work.decoded.beginRecord(at % 2);
    work.decoded.addNumber('m', T0 + at, at, QUALITY_GOOD);
    work.series[at] = routes.seriesById.get((at % 2) + 1)!;
  }
  return { live, routes, work };
}

test('nobody looks: nothing is made', () => {
  const { live, work } = setUp(3);
  expect(live.framesOf(work)).toEqual([]);
  expect(live.latestFrames()).toEqual([]);
});

test('a device that is looked at sends all its samples, the other one none', () => {
  const { live, routes, work } = setUp(2);
  live.setInterest({ ...nobody, devices: ['pump'] }, routes.devices.values());
  expect(live.framesOf(work)).toEqual([
    {
      organizationId: ORGANIZATION.id,
      deviceId: 'pump',
      metricKeys: ['temp'],
      metricIndex: [0, 0],
      sourceTime: [T0, T0 + 2],
      value: [0, 2],
      quality: [192, 192],
      texts: null,
      leftOut: 0,
    },
  ]);
});

test('beyond the limit samples are left out evenly and counted; the last one stays', () => {
  const { live, routes, work } = setUp(10, 4);
  live.setInterest({ ...nobody, devices: ['pump'] }, routes.devices.values());
  const [frame] = live.framesOf(work);
  expect([frame!.value, frame!.leftOut]).toEqual([[4, 8, 14, 18], 6]);
});

test.each([
  ['organisation', { ...nobody, organizations: [ORGANIZATION.id] }, ['pump 4', 'robot 5']],
  ['site', { ...nobody, sites: ['site'] }, ['pump 4']],
  ['another organisation', { ...nobody, organizations: ['org-2'] }, []],
])('%s: newest values, each told once', (_, interest, expected) => {
  const { live, routes, work } = setUp(3);
  live.setInterest(interest, routes.devices.values());
  expect(live.framesOf(work)).toEqual([]);
  write(work, new SampleBatchBuilder());
  expect(live.latestFrames().map(({ deviceId, value }) => `${deviceId} ${value.join()}`)).toEqual(expected);
  live.framesOf(work);
  expect(live.latestFrames()).toEqual([]);
});

test('a frame can be sent to another thread', () => {
  const { live, routes, work } = setUp(2);
  live.setInterest({ ...nobody, devices: ['pump'] }, routes.devices.values());
  const frames = live.framesOf(work);
  expect(structuredClone(frames)).toEqual(frames);
});
