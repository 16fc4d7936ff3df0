import { Metrics, silentLogger } from '@fieldline/kit';
import type { DomainEvent } from '@fieldline/model';
import { expect, test } from 'vitest';
import { levelOf, type Room, type StorageLevel, StorageWatch } from './storage-watch.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

test.each<[number, number, StorageLevel, StorageLevel]>([
  [500 * GiB, 1000 * GiB, 'enough', 'enough'],
  [3 * GiB, 1000 * GiB, 'enough', 'enough'],
  [1.9 * GiB, 1000 * GiB, 'enough', 'low'],
  [2.2 * GiB, 1000 * GiB, 'low', 'low'],
  [3 * GiB, 1000 * GiB, 'low', 'enough'],
  [20 * MiB, 200 * MiB, 'enough', 'enough'],
  [8 * MiB, 200 * MiB, 'enough', 'low'],
  [3 * MiB, 200 * MiB, 'low', 'full'],
  [4.5 * MiB, 200 * MiB, 'full', 'full'],
  [6 * MiB, 200 * MiB, 'full', 'low'],
  [100 * MiB, 200 * MiB, 'full', 'enough'],
])('%d bytes of %d after %s are %s', (freeBytes, totalBytes, before, level) => {
  expect(levelOf({ freeBytes, totalBytes }, before)).toBe(level);
});

test('each change is one event for each organisation, and what is full is a problem', async () => {
  const events: DomainEvent[] = [];
  const room: Record<string, Room> = {
    log: { freeBytes: GiB, totalBytes: GiB },
    store: { freeBytes: GiB, totalBytes: GiB },
    catalog: { freeBytes: GiB, totalBytes: GiB },
  };
  const watch = new StorageWatch({
    dataDir: '/data',
    logger: silentLogger,
    metrics: new Metrics(),
    nowMicros: () => 1_000_000,
    organizationIds: async () => ['one', 'two'],
    write: (event) => events.push(event),
    measure: async (folder) => room[folder.split('/').at(-1)!]!,
  });
  await watch.look();
  expect([events.length, watch.problem()]).toEqual([0, null]);
  room.log = { freeBytes: 0, totalBytes: GiB };
  await watch.look();
  await watch.look();
  expect(events.map(({ organizationId, type, subjectId }) => [organizationId, type, subjectId])).toEqual([
    ['one', 'STORAGE_FULL', 'log'],
    ['two', 'STORAGE_FULL', 'log'],
  ]);
  expect(watch.problem()).toContain('log');
  room.log = { freeBytes: GiB, totalBytes: GiB };
  await watch.look();
  expect(events.slice(2).map(({ type }) => type)).toEqual(['STORAGE_FREED', 'STORAGE_FREED']);
  expect(watch.problem()).toBeNull();
});
