import { DEFAULT_DECODE_LIMITS } from '@fieldline/codecs';
import { expect, test } from 'vitest';
import { Routes } from '../routes.ts';
import { device, directoryOf, logged, origin, record, series, type TestRecord } from '../testing.ts';
import { Work } from '../work.ts';
import { decode } from './decode.ts';
import { requestName, requestsFor, resolve, resolveMissing } from './resolve.ts';

const pump = origin('pump');
const robot = origin('robot');

function begun(records: TestRecord[]): { work: Work; routes: Routes } {
  const routes = new Routes(
    directoryOf([device('pump'), device('robot')], [series(1, 'pump', 'temp'), series(2, 'robot', 'temp')]),
  );
  const batch = logged(records);
  const work = new Work();
  const of = batch.origins.map((one) => routes.routeOf(one));
  work.begin(batch, of);
  decode(work, DEFAULT_DECODE_LIMITS);
  return { work, routes };
}

const idsOf = (work: Work): (number | null)[] =>
  Array.from({ length: work.decoded.count }, (_, row) => work.series[row]?.id ?? null);

test('the same metric name of two devices leads to two series, in any order', () => {
  const message = { metrics: { temp: 1 } };
  const { work } = begun([
    record(pump, message),
    record(robot, message),
    record(robot, message),
    record(pump, message),
  ]);
  resolveMissing(work, resolve(work), new Map());
  expect(idsOf(work)).toEqual([1, 2, 2, 1]);
  expect(resolve(work)).toEqual([]);
});

test('new metrics are asked for once each, with the kind and unit of their first value', () => {
  const { work } = begun([
    record(pump, { metrics: { a: true, b: 'on', temp: 1, c: { value: 1, unit: 'bar' } } }),
    record(pump, { metrics: { a: 1, 'x y': 2, c: { value: 2, unit: 'Pa' } } }),
    record(robot, { metrics: { a: 1, d: { value: 1, unit: 'm\u0000' } } }),
  ]);
  const requests = requestsFor(work, resolve(work), 0).map(({ subjectId, metricKey, valueKind, unit = '-' }) =>
    [subjectId, metricKey, valueKind, unit].join(' '),
  );
  expect(requests).toEqual([
    'pump a boolean -',
    'pump b text -',
    'pump c number bar',
    'pump x y number -',
    'robot a number -',
    'robot d number -',
  ]);
});

test('what could not be registered is refused with its reason, and asked for again next time', () => {
  const { work } = begun([record(pump, { metrics: { temp: 1, a: 1, b: 2 } })]);
  const missing = resolve(work);
  const refusal = { code: 'SERIES_LIMIT', message: 'full' } as const;
  resolveMissing(work, missing, new Map([[requestName('pump', 'a'), refusal]]));
  expect(work.rejections.map(({ metric, code }) => `${metric} ${code}`)).toEqual([
    'a SERIES_LIMIT',
    'b DEVICE_UNKNOWN',
  ]);
  expect(idsOf(work)).toEqual([1, null, null]);
  expect(requestsFor(work, resolve(work), 0)).toHaveLength(2);
});

test('a device that is full is not asked for until its time is over', () => {
  const { work, routes } = begun([record(pump, { metrics: { a: 1 } })]);
  routes.deviceState('pump')!.fullUntilMs = 100;
  const missing = resolve(work);
  expect(requestsFor(work, missing, 99)).toEqual([]);
  expect(requestsFor(work, missing, 100)).toHaveLength(1);
});

test('a key that the mapping makes too long is refused without asking', () => {
  const from = origin('robot', {
    topic: `robots/robot/sensors/${'s'.repeat(200)}/data`,
    mappingId: '00000000-0000-7000-8000-000000000002',
  });
  const { work } = begun([record(from, { metrics: { ['m'.repeat(100)]: 1 } })]);
  const missing = resolve(work);
  expect(requestsFor(work, missing, 0)).toEqual([]);
  resolveMissing(work, missing, new Map());
  expect(work.rejections[0]?.code).toBe('METRIC_KEY_INVALID');
  expect(work.routeOf(0).series.size).toBe(0);
});
