/** The telemetry of a span for a chart of a width. While another span is loading, the one before stays. */
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import type { TimeSpan } from '../../chart/pan-zoom.ts';
import { LOCAL_ZONE } from '../../format/time.ts';
import { questionOf } from './panel-state.ts';

const SETTLE_MS = 160;

export function useHistory(deviceId: string, metricKeys: readonly string[], span: TimeSpan, widthPx: number) {
  const question = JSON.stringify({ ...questionOf(span, widthPx), metricKeys });
  const [settled] = useDebouncedValue(question, SETTLE_MS);
  const query = useQuery({
    queryKey: ['telemetry', 'history', deviceId, settled],
    enabled: metricKeys.length > 0 && widthPx > 0,
    placeholderData: keepPreviousData,
    staleTime: 15_000,
    gcTime: 60_000,
    queryFn: ({ signal }) => {
      const { startTime, endTime, aggregation, points, metricKeys: keys } = JSON.parse(settled);
      return api.telemetry.query(
        {
          startTime: String(startTime),
          endTime: String(endTime),
          series: (keys as string[]).map((metricKey) => ({ deviceId, metricKey })),
          aggregation,
          points,
          timeZone: LOCAL_ZONE,
        },
        { signal },
      );
    },
  });
  return { ...query, isBehind: query.isPlaceholderData || question !== settled || query.isLoading };
}
