import { silentLogger } from '@fieldline/kit';
import { expect, test } from 'vitest';
import { Connectivity, type DeviceConnection } from './connectivity.ts';
import type { ConnectionMessage } from './threads/messages.ts';

const message = (change: ConnectionMessage['change'], time: number): ConnectionMessage => ({
  type: 'connection',
  change,
  organizationId: 'o',
  deviceId: 'd',
  time,
  reason: '',
});

test('online with the first connection, offline after the last one', () => {
  const connectivity = new Connectivity();
  const steps = (['connected', 'connected', 'disconnected', 'refused', 'disconnected'] as const).map(
    (change, index) => connectivity.apply(message(change, index + 1))?.status ?? null,
  );
  expect(steps).toEqual(['online', null, null, null, 'offline']);
  expect(connectivity.get('d')).toMatchObject({ status: 'offline', since: 5 });
  expect(connectivity.onlineCount()).toBe(0);
});

test('what could not be written is written the next time', async () => {
  const connectivity = new Connectivity();
  connectivity.apply(message('connected', 1));
  await connectivity.flush(() => Promise.reject(new Error('away')), silentLogger);
  const written: (readonly DeviceConnection[])[] = [];
  const write = async (changed: readonly DeviceConnection[]): Promise<void> => {
    written.push(changed);
  };
  await connectivity.flush(write, silentLogger);
  await connectivity.flush(write, silentLogger);
  expect(written).toMatchObject([[{ deviceId: 'd', status: 'online' }]]);
});
