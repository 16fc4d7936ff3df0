/** The newest value of each metric: asked once, then kept current by live frames, four renders a second at most. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { api } from '../../api/client.ts';
import { useLiveEvents } from '../../live/index.ts';
import { type LatestRow, overlay, rowsOf, takeNewest } from './panel-state.ts';

const RENDER_INTERVAL_MS = 250;
const REFRESH_MS = 30_000;

export function useLatest(deviceId: string) {
  const query = useQuery({
    queryKey: ['telemetry', 'latest', deviceId],
    queryFn: ({ signal }) => api.telemetry.latest(deviceId, {}, { signal }),
    refetchInterval: REFRESH_MS,
  });
  const newest = useRef(new Map<string, Omit<LatestRow, 'metricKey' | 'unit'>>());
  const [version, setVersion] = useState(0);
  const changed = useRef(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another device begins with nothing
  useEffect(() => {
    newest.current.clear();
    const timer = setInterval(() => {
      if (!changed.current || document.hidden) return;
      changed.current = false;
      setVersion((count) => count + 1);
    }, RENDER_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [deviceId]);

  useLiveEvents(
    { deviceId },
    {
      'telemetry:new': (frame) => {
        if (frame.deviceId !== deviceId) return;
        takeNewest(frame, newest.current);
        changed.current = true;
      },
    },
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the map changes in place; version says so
  const rows = useMemo(
    () => (query.data === undefined ? undefined : overlay(rowsOf(query.data), newest.current)),
    [query.data, version],
  );
  return { ...query, data: rows };
}
