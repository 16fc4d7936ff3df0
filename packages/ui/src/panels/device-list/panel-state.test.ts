/** The device list's address, pages and keys. */
import { describe, expect, it } from 'vitest';
import { LiveStatus } from './live-status.ts';
import { changeFilter, isFiltered, nextSort, pagesOf, readDeviceFilter, rowAfterKey } from './panel-state.ts';

describe('filter', () => {
  it.each([
    [
      { q: 'press', kind: 'plc', status: 'online' },
      { q: 'press', kind: 'plc', status: 'online' },
    ],
    [{ q: 42, kind: 'boat', status: 'asleep', order: 'up' }, { q: '42' }],
    [
      { q: '', sort: 'lastSeen', order: 'desc' },
      { sort: 'lastSeen', order: 'desc' },
    ],
  ])('%j means %j', (search, meaning) => expect(readDeviceFilter(search)).toEqual(meaning));

  it('loses a field that is taken away', () => {
    expect(changeFilter({ q: 'a', kind: 'plc' }, { q: undefined })).toEqual({ kind: 'plc' });
    expect(isFiltered({ sort: 'name' })).toBe(false);
    expect(isFiltered({ site: 's' })).toBe(true);
  });

  it('turns the order round on the second click; newest first where time is sorted', () => {
    expect(nextSort({}, 'name')).toMatchObject({ sort: 'name', order: 'desc' });
    expect(nextSort({}, 'lastSeen')).toMatchObject({ sort: 'lastSeen', order: 'desc' });
    expect(nextSort({ sort: 'lastSeen', order: 'desc' }, 'lastSeen')).toMatchObject({ order: 'asc' });
  });
});

describe('rows', () => {
  it.each([
    [0, 30, [0]],
    [90, 130, [0, 1]],
    [9_000, 9_030, [90]],
    [0, -1, [0]],
  ])('rows %i to %i stand on pages %j', (first, last, pages) => expect(pagesOf(first, last)).toEqual(pages));

  it.each([
    ['ArrowDown', 5, 6],
    ['ArrowDown', 99, 99],
    ['ArrowUp', 0, 0],
    ['PageDown', 5, 25],
    ['End', 5, 99],
    ['Home', 5, 0],
    ['x', 5, null],
  ])('%s leads from row %i to %s of 100', (key, row, next) => expect(rowAfterKey(key, row, 100, 20)).toBe(next));
});

describe('LiveStatus', () => {
  it('overrides status until the list is read anew; last seen only grows', () => {
    const live = new LiveStatus();
    const change = { organizationId: 'o', deviceId: 'd', since: null, lastSeen: '2026-01-01T00:00:10.000Z' };
    live.takeStatus({ ...change, status: 'offline' });
    expect(live.statusOf('d', 'online')).toBe('offline');
    expect(live.lastSeenOf('d', '2026-01-01T00:00:20.000Z')).toBe(Date.parse('2026-01-01T00:00:20.000Z'));
    live.forget();
    expect(live.statusOf('d', 'online')).toBe('online');
    expect(live.lastSeenOf('other', null)).toBeNull();
  });
});
