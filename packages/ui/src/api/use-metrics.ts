/** The metrics a device has sent, numbers before switches, in their natural order. New ones appear within a few seconds. */
import { useQuery } from '@tanstack/react-query';
import { api } from './client.ts';

const METRICS_REFRESH_MS = 10_000;
const byName = new Intl.Collator('en', { numeric: true });

export function useMetrics(deviceId: string) {
  return useQuery({
    queryKey: ['device', deviceId, 'metrics'],
    queryFn: async ({ signal }) => {
      const { items } = await api.devices.metrics(deviceId, { signal });
      const rank = { number: 0, boolean: 1, text: 2 };
      return [...items].sort(
        (left, right) =>
          rank[left.valueKind] - rank[right.valueKind] || byName.compare(left.metricKey, right.metricKey),
      );
    },
    refetchInterval: METRICS_REFRESH_MS,
  });
}
