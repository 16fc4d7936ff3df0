/** Devices by status; read anew when a status changes live, at most once in two seconds. */
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { api, queryClient } from '../../api/client.ts';
import { useLiveEvents } from '../../live/index.ts';
import { useMe } from '../../session/index.ts';

const SETTLE_MS = 2_000;

export function useCounts() {
  const me = useMe();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useLiveEvents(me === null ? null : { organizationId: me.organizationId }, {
    'device:status': () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        void queryClient.invalidateQueries({ queryKey: ['devices', 'counts'] });
        void queryClient.invalidateQueries({ queryKey: ['devices', 'silent'] });
      }, SETTLE_MS);
    },
  });
  return useQuery({
    queryKey: ['devices', 'counts'],
    queryFn: ({ signal }) => api.devices.counts({ signal }),
    refetchInterval: 15_000,
  });
}
