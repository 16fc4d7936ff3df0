/** What the device list shows: filters in its address, which pages the visible rows need, where keys lead. No React. */

export const KINDS = ['robot', 'plc', 'sensor', 'gateway', 'machine', 'other'] as const;
export const STATUSES = ['online', 'offline', 'unknown'] as const;
export const SORTS = ['name', 'lastSeen', 'status'] as const;
/** Devices asked for at once. */
export const PAGE_SIZE = 100;

export interface DeviceFilter {
  readonly q?: string;
  readonly kind?: (typeof KINDS)[number];
  readonly status?: (typeof STATUSES)[number];
  readonly site?: string;
  readonly sort?: (typeof SORTS)[number];
  readonly order?: 'asc' | 'desc';
}

/** Reads the address; what it does not understand is as if it were not there. */
export function readDeviceFilter(search: Record<string, unknown>): DeviceFilter {
  const q = typeof search.q === 'string' || typeof search.q === 'number' ? String(search.q).slice(0, 200) : '';
  return withoutUndefined({
    q: q === '' ? undefined : q,
    kind: KINDS.find((kind) => kind === search.kind),
    status: STATUSES.find((status) => status === search.status),
    site: typeof search.site === 'string' && search.site !== '' ? search.site : undefined,
    sort: SORTS.find((sort) => sort === search.sort),
    order: search.order === 'desc' ? 'desc' : search.order === 'asc' ? 'asc' : undefined,
  });
}

/** The filter with a change; undefined takes a field away. */
export function changeFilter(
  filter: DeviceFilter,
  change: { readonly [K in keyof DeviceFilter]?: DeviceFilter[K] | undefined },
): DeviceFilter {
  return withoutUndefined({ ...filter, ...change });
}

export function isFiltered(filter: DeviceFilter): boolean {
  return (filter.q ?? filter.kind ?? filter.status ?? filter.site) !== undefined;
}

/** A click on a column: first in its natural order, then turned round. */
export function nextSort(filter: DeviceFilter, sort: (typeof SORTS)[number]): DeviceFilter {
  const natural = sort === 'lastSeen' ? 'desc' : 'asc';
  const current = filter.sort ?? 'name';
  const order = filter.order ?? (current === 'lastSeen' ? 'desc' : 'asc');
  return { ...filter, sort, order: current !== sort ? natural : order === 'asc' ? 'desc' : 'asc' };
}

/** The pages that hold rows [first, last]. */
export function pagesOf(first: number, last: number): number[] {
  const from = Math.max(0, Math.floor(first / PAGE_SIZE));
  const to = Math.max(from, Math.floor(Math.max(0, last) / PAGE_SIZE));
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** The row a key leads to; null where the key means nothing here. */
export function rowAfterKey(key: string, row: number, rowCount: number, rowsPerScreen: number): number | null {
  const clamp = (wanted: number): number => Math.min(rowCount - 1, Math.max(0, wanted));
  switch (key) {
    case 'ArrowDown':
      return clamp(row + 1);
    case 'ArrowUp':
      return clamp(row - 1);
    case 'PageDown':
      return clamp(row + rowsPerScreen);
    case 'PageUp':
      return clamp(row - rowsPerScreen);
    case 'Home':
      return clamp(0);
    case 'End':
      return clamp(rowCount - 1);
    default:
      return null;
  }
}

function withoutUndefined(filter: { readonly [K in keyof DeviceFilter]?: DeviceFilter[K] | undefined }): DeviceFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as DeviceFilter;
}
