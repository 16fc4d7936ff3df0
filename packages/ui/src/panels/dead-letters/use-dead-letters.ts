/** Dead letters page by page, one with its payload, and taking them in again. */
import type { Body } from '@fieldline/contract/client';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { api, queryClient } from '../../api/client.ts';
import { toastDone, toastError } from '../../faces/toast.ts';
import { t } from '../../i18n/index.ts';
import type { DeadLetterSearch } from './panel-state.ts';

const PAGE_SIZE = 50;

export function useDeadLetters({ code, device }: DeadLetterSearch) {
  const filter = { ...(code === undefined ? {} : { code }), ...(device === undefined ? {} : { deviceId: device }) };
  return useInfiniteQuery({
    queryKey: ['dead-letters', 'list', filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      api.deadLetters.list(
        { limit: PAGE_SIZE, ...filter, ...(pageParam === null ? {} : { cursor: pageParam }) },
        { signal },
      ),
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: 15_000,
  });
}

export function useDeadLetter(id: string | undefined) {
  return useQuery({
    queryKey: ['dead-letters', 'one', id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => api.deadLetters.get(id!, { signal }),
  });
}

export function useReplay() {
  return useMutation({
    mutationFn: (body: Body<'deadLetters', 'replay'>) => api.deadLetters.replay(body),
    onError: toastError,
    onSuccess: ({ replayed, notFound }) => {
      const missing = notFound.length === 0 ? '' : `, ${t.deadLetters.notFound(notFound.length)}`;
      toastDone(`${t.deadLetters.replayed(replayed)}${missing}`);
      return queryClient.invalidateQueries({ queryKey: ['dead-letters'] });
    },
  });
}
