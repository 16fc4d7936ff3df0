import { createHash } from 'node:crypto';
import { BUILT_IN_MAPPINGS, DirectoryCache, type DirectoryDevice } from '@fieldline/model';
import { expect, test } from 'vitest';
import { admitDevice, admitSubscription, routePublication } from './admission.ts';

const ORG = '01900000-0000-7000-8000-00000000000a';
const OTHER = '01900000-0000-7000-8000-00000000000b';
const id = (last: string): string => `01900000-0000-7000-8000-0000000001${last}`;
const device = (last: string, key: string, more: Partial<DirectoryDevice> = {}): DirectoryDevice => ({
  id: id(last),
  organizationId: ORG,
  key,
  name: key,
  kind: 'sensor',
  siteId: null,
  lifecycle: 'active',
  tokenSha256: createHash('sha256').update('secret').digest('hex'),
  gatewayId: null,
  ...more,
});
const pump = device('01', 'pump-1');
const gateway = device('02', 'gateway-1', { kind: 'gateway' });
const behind = device('03', 'behind-1', { gatewayId: gateway.id });
const old = device('04', 'old-1', { lifecycle: 'decommissioned' });
const silent = device('05', 'silent-1', { tokenSha256: null });

const directory = (autoRegistration = false): DirectoryCache =>
  new DirectoryCache({
    version: 7,
    organizations: [
      { id: ORG, slug: 'acme', autoRegistration },
      { id: OTHER, slug: 'other', autoRegistration: false },
    ],
    devices: [pump, gateway, behind, old, silent, device('06', 'pump-1', { organizationId: OTHER })],
    mappings: BUILT_IN_MAPPINGS,
    series: [],
  });

test.each([
  ['id and token', { userName: pump.id, password: 'secret' }, pump.key],
  ['organisation/key and token', { userName: 'acme/pump-1', password: 'secret' }, pump.key],
  ['certificate', { certificateCommonName: pump.id }, pump.key],
  ['wrong token', { userName: pump.id, password: 'Secret' }, 0x86],
  ['empty token', { userName: pump.id, password: '' }, 0x86],
  ['no password', { userName: pump.id }, 0x86],
  ['nothing', {}, 0x86],
  ['unknown device', { userName: id('99'), password: 'secret' }, 0x86],
  ['key without organisation', { userName: 'pump-1', password: 'secret' }, 0x86],
  ['device without a token', { userName: silent.id, password: '' }, 0x86],
  ['decommissioned', { userName: old.id, password: 'secret' }, 0x87],
  ['certificate of nobody', { certificateCommonName: 'pump-1' }, 0x87],
])('log-in with %s', (_, { userName, password, certificateCommonName }: Record<string, string>, expected) => {
  const login = admitDevice(directory(), {
    userName,
    certificateCommonName,
    password: password === undefined ? undefined : Buffer.from(password),
  });
  expect(login.refusal === undefined ? login.device.key : login.refusal.reasonCode).toBe(expected);
});

test.each([
  ['own topic by id', pump, `v1/telemetry/${ORG}/${pump.id}`, pump.id],
  ['own topic by slug and key', pump, 'v1/telemetry/acme/pump-1', pump.id],
  ['robot topic', pump, 'robots/pump-1/sensors/thermal/data', pump.id],
  ['unified namespace', pump, 'uns/e/s/a/l/pump-1/motor/speed', pump.id],
  ['another device', pump, 'v1/telemetry/acme/gateway-1', 0x87],
  ['another organisation', pump, `v1/telemetry/${OTHER}/pump-1`, 0x87],
  ['gateway for its device', gateway, 'v1/telemetry/acme/behind-1', behind.id],
  ['gateway for a device of somebody else', gateway, 'v1/telemetry/acme/pump-1', 0x87],
  ['gateway for an unknown device', gateway, 'v1/telemetry/acme/new-1', 0x87],
  ['no mapping', pump, 'hello', 0x87],
  ['ordinary topic', pump, `app/${ORG}/x`, 'clients'],
  ['ordinary topic of others', pump, `app/${OTHER}/x`, 0x87],
  ['system topic', pump, '$SYS/broker', 0x87],
])('publication on %s', (_, publisher, topic, expected) => {
  const route = routePublication(directory(), publisher, topic);
  expect(route.to === 'log' ? route.origin.deviceId : route.to === 'refused' ? route.reasonCode : route.to).toBe(
    expected,
  );
});

test('a gateway may speak for an unknown device where the organisation registers automatically; others may not', () => {
  expect(routePublication(directory(true), gateway, 'v1/telemetry/acme/new-1')).toMatchObject({
    to: 'log',
    origin: {
      deviceId: 'new-1',
      organizationId: ORG,
      codec: 'json',
      mappingVersion: 7,
      attributes: { publisherId: gateway.id },
    },
  });
  expect(routePublication(directory(true), pump, 'v1/telemetry/acme/new-1').to).toBe('refused');
});

test.each([
  [`app/${ORG}/#`, true],
  [`$share/g/app/${ORG}/x`, true],
  [`$fieldline/cmd/${pump.id}/#`, true],
  ['robots/pump-1/commands/mission', true],
  ['#', false],
  [`+/${ORG}/x`, false],
  ['app/+/x', false],
  [`app/${OTHER}/#`, false],
  ['app/acme/#', false],
  ['$share/g/app/acme/x', false],
  ['$share/g/#', false],
  ['v1/telemetry/#', false],
  ['$SYS/#', false],
  ['$SYS/broker/#', false],
  ['robots/+/commands/mission', false],
])('subscription to %s: %s', (filter, allowed) => {
  expect(admitSubscription(directory(), pump, filter).allowed).toBe(allowed);
});

test('the slug under app/ is refused with the topic that is meant, so that nobody waits where nobody speaks', () => {
  const topic = `write "app/${ORG}/orders/+"`;
  expect(routePublication(directory(), pump, 'app/acme/orders/1')).toMatchObject({
    to: 'refused',
    reason: expect.stringContaining(`write "app/${ORG}/orders/1"`),
  });
  for (const filter of ['app/acme/orders/+', '$share/g/app/acme/orders/+']) {
    expect(admitSubscription(directory(), pump, filter)).toMatchObject({ reason: expect.stringContaining(topic) });
  }
  expect(routePublication(directory(), pump, 'app/other/x')).toMatchObject({
    reason: expect.not.stringContaining('write'),
  });
});

test.each([
  ['$SYS/broker/#', true],
  ['$SYS/#', false],
  ['$SYS/+/uptime', false],
])('a gateway subscribes to %s: %s', (filter, allowed) => {
  expect(admitSubscription(directory(), gateway, filter).allowed).toBe(allowed);
});
