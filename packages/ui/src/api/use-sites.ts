/** The sites, and their names by id. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api } from './client.ts';

const SITES_MAX = 1000;

export function useSites() {
  return useQuery({
    queryKey: ['sites'],
    queryFn: ({ signal }) => api.sites.list({ limit: SITES_MAX }, { signal }),
    staleTime: 60_000,
  });
}

export function useSiteNames(): ReadonlyMap<string, string> {
  const { data } = useSites();
  return useMemo(() => new Map((data?.items ?? []).map((site) => [site.id, site.name])), [data]);
}
