/** How the pipeline does, asked every two seconds; the answers of the last minutes are kept for small charts. */
import { useQuery } from '@tanstack/react-query';
import { useMay } from '../session/index.ts';
import { api } from './client.ts';

const ASK_INTERVAL_MS = 2_000;
/** Answers kept: five minutes. When full, the oldest goes. */
const TRAIL_MAX = 150;

type Health = Awaited<ReturnType<typeof api.pipeline.health>>;
export interface TrailPoint {
  readonly time: number;
  readonly samples: number;
  readonly records: number;
  readonly deadLetters: number;
  readonly lag: number;
}
export interface PipelineNow {
  readonly health: Health;
  readonly trail: readonly TrailPoint[];
}

let trail: readonly TrailPoint[] = [];

export function usePipeline() {
  const may = useMay('pipeline:read');
  return useQuery({
    queryKey: ['pipeline', 'health'],
    enabled: may,
    refetchInterval: ASK_INTERVAL_MS,
    staleTime: 0,
    retry: 0,
    queryFn: async ({ signal }): Promise<PipelineNow> => {
      const health = await api.pipeline.health({ signal });
      trail = extendTrail(trail, health, Date.now());
      return { health, trail };
    },
  });
}

/** The trail with one more answer; begun anew after a long pause, so that a line never spans what was not seen. */
export function extendTrail(before: readonly TrailPoint[], health: Health, time: number): readonly TrailPoint[] {
  const last = before.at(-1);
  const kept = last !== undefined && time - last.time < 5 * ASK_INTERVAL_MS ? before : [];
  const { samplesPerSecond, recordsPerSecond, deadLettersPerSecond } = health.rates;
  const point = {
    time,
    samples: samplesPerSecond,
    records: recordsPerSecond,
    deadLetters: deadLettersPerSecond,
    lag: health.lag.records,
  };
  return [...kept, point].slice(-TRAIL_MAX);
}
