/** Names of the devices that events speak of; those that are gone stay unnamed. */
import { useQueries } from '@tanstack/react-query';
import { api } from './client.ts';

export function useDeviceNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const unique = [...new Set(ids)];
  const queries = useQueries({
    queries: unique.map((id) => ({
      queryKey: ['device', id],
      queryFn: ({ signal }: { signal: AbortSignal }) => api.devices.get(id, { signal }),
      staleTime: 60_000,
      retry: false,
    })),
  });
  return new Map(queries.flatMap(({ data }, index) => (data === undefined ? [] : [[unique[index]!, data.name]])));
}
