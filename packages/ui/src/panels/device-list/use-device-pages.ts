/** Devices by pages: only those are asked for whose rows are seen, so that row 9,000 is as near as row 1. */
import type { Query } from '@fieldline/contract/client';
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { type DeviceFilter, PAGE_SIZE } from './panel-state.ts';

const REFRESH_MS = 20_000;
type Page = Awaited<ReturnType<typeof api.devices.list>>;
export type Device = Page['items'][number];

export function useDevicePages(filter: DeviceFilter, pages: readonly number[]) {
  const first = useQuery({ ...pageQuery(filter, 0), placeholderData: keepPreviousData });
  const others = useQueries({ queries: pages.filter((page) => page > 0).map((page) => pageQuery(filter, page)) });
  const byPage = new Map<number, Page>();
  if (first.data !== undefined) byPage.set(0, first.data);
  for (const { data } of others) if (data !== undefined) byPage.set(data.offset / PAGE_SIZE, data);
  const at = (row: number): Device | undefined => byPage.get(Math.floor(row / PAGE_SIZE))?.items[row % PAGE_SIZE];
  return { first, total: first.data?.total ?? 0, at };
}

function pageQuery(filter: DeviceFilter, page: number) {
  const query: Query<'devices', 'list'> = {
    limit: PAGE_SIZE,
    offset: page * PAGE_SIZE,
    sort: filter.sort ?? 'name',
    order: filter.order ?? 'asc',
    ...(filter.q === undefined ? {} : { search: filter.q }),
    ...(filter.kind === undefined ? {} : { kind: filter.kind }),
    ...(filter.status === undefined ? {} : { status: filter.status }),
    ...(filter.site === undefined ? {} : { siteId: filter.site }),
  };
  return {
    queryKey: ['devices', 'list', query],
    queryFn: ({ signal }: { signal: AbortSignal }) => api.devices.list(query, { signal }),
    refetchInterval: REFRESH_MS,
  };
}
