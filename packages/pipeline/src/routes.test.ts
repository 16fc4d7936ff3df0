import { BUILT_IN_MAPPINGS, type DirectoryChange, type Origin } from '@fieldline/model';
import { expect, test } from 'vitest';
import { Routes } from './routes.ts';
import { AUTO_ORGANIZATION, device, deviceChange, directoryOf, ORGANIZATION, origin, series } from './testing.ts';

const pump = device('pump');
const robot = device('robot');
const old = device('old', { lifecycle: 'decommissioned' });
const robotTopic = { topic: 'robots/robot/sensors/imu/data', mappingId: BUILT_IN_MAPPINGS[1]!.id };
const unsTopic = { topic: 'uns/acme/hall/area/line/pump/motor/temp', mappingId: BUILT_IN_MAPPINGS[2]!.id };
const { mappingId: _, ...unmapped } = origin('pump');

test.each<[string, Origin, string]>([
  ['device by id', origin('pump'), 'pump temp'],
  ['device by key', origin('pump-key'), 'pump temp'],
  ['no mapping involved', { ...unmapped, topic: 'POST webhook' }, 'pump temp'],
  ['metric template', origin('robot', robotTopic), 'robot imu.temp'],
  ['metric from the topic', origin('pump', unsTopic), 'pump motor/temp.temp'],
  ['mapping was deleted, another one matches', origin('pump', { mappingId: 'gone' }), 'pump temp'],
  ['mapping was deleted, none matches', origin('pump', { mappingId: 'gone', topic: 'x/y' }), 'TOPIC_UNMAPPED'],
  ['unknown device', origin('ghost'), 'DEVICE_UNKNOWN'],
  [
    'device of another organisation',
    origin('pump', { organizationId: 'org-9', topic: 'v1/telemetry/x/pump' }),
    'DEVICE_UNKNOWN',
  ],
  ['decommissioned', origin('old'), 'DEVICE_DECOMMISSIONED'],
  ['topic of another organisation', origin('pump', { topic: 'v1/telemetry/south/pump' }), 'ORGANIZATION_MISMATCH'],
  [
    'an organisation that was foreign at the door',
    origin('pump', { attributes: { foreignOrganization: 'rival' } }),
    'ORGANIZATION_MISMATCH',
  ],
  [
    'topic of an organisation that was renamed since',
    origin('pump', { topic: 'v1/telemetry/formerly/pump' }),
    'pump temp',
  ],
  [
    'automatic registration',
    origin('new', { organizationId: AUTO_ORGANIZATION.id, topic: 'v1/telemetry/south/new' }),
    'register new',
  ],
])('%s', (_name, from, expected) => {
  const { device: state, failure, toRegister, keyOf } = new Routes(directoryOf([pump, robot, old])).routeOf(from);
  const found =
    state === null ? (failure?.code ?? `register ${toRegister?.key}`) : `${state.device.id} ${keyOf('temp')}`;
  expect(found).toBe(expected);
});

test('the value of a topic that names its metric has the name of the topic alone', () => {
  const route = new Routes(directoryOf([pump])).routeOf(origin('pump', unsTopic));
  expect(route.keyOf('value')).toBe('motor/temp');
});

test('a gateway that spoke for an unknown device is told when the device is registered', () => {
  const from = origin('new', {
    organizationId: 'org-2',
    topic: 'v1/telemetry/south/new',
    attributes: { publisherId: 'gw' },
  });
  expect(new Routes(directoryOf([])).routeOf(from).toRegister).toEqual({ key: 'new', gatewayId: 'gw' });
});

/** Takes changes in as the pipeline does. */
function changing(): { routes: Routes; change: (change: DirectoryChange) => void } {
  const directory = directoryOf([pump, robot], [series(1, 'pump', 'temp')]);
  const routes = new Routes(directory);
  return {
    routes,
    change: (change) => {
      directory.apply(change);
      routes.directoryChanged([change]);
    },
  };
}

test('a route is the same object until something of it changes', () => {
  const { routes, change } = changing();
  const from = origin('pump');
  const before = routes.routeOf(from);
  change(deviceChange(2, device('robot', { name: 'renamed' })));
  change({ version: 3, kind: 'series', series: series(1, 'pump', 'temp', { scale: 2 }) });
  expect(routes.routeOf(from)).toBe(before);
  change(deviceChange(4, device('pump', { lifecycle: 'decommissioned' })));
  expect(routes.routeOf(from).failure?.code).toBe('DEVICE_DECOMMISSIONED');
  change(deviceChange(5, pump));
  expect(routes.routeOf(from).device?.device.id).toBe('pump');
  change({ version: 6, kind: 'device-removed', deviceId: 'pump' });
  expect(routes.routeOf(from).failure?.code).toBe('DEVICE_UNKNOWN');
});

test('an unknown device is found as soon as it is made', () => {
  const { routes, change } = changing();
  const from = origin('late');
  expect(routes.routeOf(from).failure?.code).toBe('DEVICE_UNKNOWN');
  change(deviceChange(2, device('late')));
  expect(routes.routeOf(from).device?.device.id).toBe('late');
});

test('a mapping that changes is felt by the origins that it was for', () => {
  const { routes, change } = changing();
  const from = origin('pump');
  expect(routes.routeOf(from).keyOf('temp')).toBe('temp');
  change({ version: 2, kind: 'mapping', mapping: { ...BUILT_IN_MAPPINGS[0]!, metric: 'p.{metric}' } });
  expect(routes.routeOf(from).keyOf('temp')).toBe('p.temp');
});

test('a series keeps its newest value when its definition changes', () => {
  const { routes, change } = changing();
  const state = routes.deviceState('pump')!.series.get('temp')!;
  state.newestTime = 5;
  state.newestValue = 7;
  change({ version: 2, kind: 'series', series: series(1, 'pump', 'temp', { unit: 'bar', scale: 0.1 }) });
  expect(routes.deviceState('pump')!.series.get('temp')).toBe(state);
  expect([state.newestValue, state.unit, state.factor]).toEqual([7, 'bar', 0.1]);
});

test('an organisation that switches automatic registration on', () => {
  const { routes, change } = changing();
  const from = origin('new');
  expect(routes.routeOf(from).failure?.code).toBe('DEVICE_UNKNOWN');
  change({ version: 2, kind: 'organization', organization: { ...ORGANIZATION, autoRegistration: true } });
  expect(routes.routeOf(from).toRegister?.key).toBe('new');
});
