/** The newest events, of everything or of one subject; new ones come live. */
import type { LiveTarget } from '@fieldline/contract';
import { useQuery } from '@tanstack/react-query';
import { useLiveEvents } from '../live/index.ts';
import { api, queryClient } from './client.ts';

type EventPage = Awaited<ReturnType<typeof api.events.list>>;
const EVENTS_MAX = 100;

export function useEvents(target: LiveTarget | null, subjectId: string | undefined) {
  const key = ['events', subjectId ?? 'all'];
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      api.events.list({ limit: EVENTS_MAX, ...(subjectId === undefined ? {} : { subjectId }) }, { signal }),
    refetchInterval: 30_000,
  });
  useLiveEvents(target, {
    'event:created': (event) => {
      if (subjectId !== undefined && event.subjectId !== subjectId) return;
      queryClient.setQueryData<EventPage>(key, (page) =>
        page === undefined || page.items.some((known) => known.id === event.id)
          ? page
          : { ...page, items: [event, ...page.items].slice(0, EVENTS_MAX) },
      );
    },
  });
  return query;
}
