import { expect, test } from 'vitest';
import type { DirectoryDevice } from './directory.ts';
import { DirectoryCache } from './directory-cache.ts';

const device = (id: string, key: string, organizationId = 'o'): DirectoryDevice => ({
  id,
  organizationId,
  key,
  name: key,
  kind: 'sensor',
  siteId: null,
  lifecycle: 'active',
  tokenSha256: null,
  gatewayId: null,
});

test('devices are found by id or key, in their own organisation only, through renames and removals', () => {
  const cache = new DirectoryCache({
    version: 1,
    organizations: [{ id: 'o', slug: 'acme', autoRegistration: false }],
    devices: [device('1', 'a'), device('2', 'a', 'p')],
    mappings: [],
    series: [],
  });
  expect([cache.findDevice('o', 'a')?.id, cache.findDevice('p', 'a')?.id, cache.findDevice('o', '2')]).toEqual([
    '1',
    '2',
    undefined,
  ]);
  cache.apply({ version: 2, kind: 'device', device: device('1', 'b') });
  expect([cache.findDevice('o', 'a'), cache.findDevice('o', 'b')?.id]).toEqual([undefined, '1']);
  cache.apply({ version: 1, kind: 'device-removed', deviceId: '1' });
  expect(cache.device('1')?.key).toBe('b');
  cache.apply({ version: 3, kind: 'device-removed', deviceId: '1' });
  expect([cache.device('1'), cache.findDevice('o', 'b'), cache.version]).toEqual([undefined, undefined, 3]);
  expect(cache.organization('acme')?.id).toBe('o');
});
