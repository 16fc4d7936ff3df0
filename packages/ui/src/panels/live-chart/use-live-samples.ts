/**
 * The newest samples of a device's metrics in ring buffers: first what the store has of the window, then what comes live.
 * Nothing here renders: the rings change in place, `changes` counts up, and who draws looks.
 */
import type { TelemetryNew } from '@fieldline/contract';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { api } from '../../api/client.ts';
import { SampleRing } from '../../chart/sample-ring.ts';
import { useLiveEvents, useLiveState } from '../../live/index.ts';
import { LIVE_SAMPLES_MAX, LiveEdge } from './panel-state.ts';

const BACKFILL_POINTS_MAX = 4_000;

export interface LiveSamples {
  readonly rings: ReadonlyMap<string, SampleRing>;
  readonly edge: LiveEdge;
  /** Grows with everything that arrives. */
  changes: number;
}

export function useLiveSamples(deviceId: string, metricKeys: readonly string[], windowMs: number): LiveSamples {
  const key = metricKeys.join('\n');
  const samples = useMemo<LiveSamples>(
    () => ({
      rings: new Map(key === '' ? [] : key.split('\n').map((metric) => [metric, new SampleRing(LIVE_SAMPLES_MAX)])),
      edge: new LiveEdge(),
      changes: 0,
    }),
    [key],
  );
  const current = useRef(samples);
  current.current = samples;

  const backfill = useQuery({
    queryKey: ['telemetry', 'live-window', deviceId, key, windowMs],
    enabled: key !== '',
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
    queryFn: ({ signal }) =>
      api.telemetry.query(
        {
          startTime: String(Math.round(Date.now() - windowMs * 1.1)),
          series: key.split('\n').map((metricKey) => ({ deviceId, metricKey })),
          aggregation: 'none',
          points: BACKFILL_POINTS_MAX,
        },
        { signal },
      ),
  });

  useEffect(() => {
    for (const series of backfill.data?.series ?? []) {
      const ring = samples.rings.get(series.metricKey);
      if (ring === undefined || series.kind !== 'samples') continue;
      for (let index = 0; index < series.timestamps.length; index += 1) {
        const value = series.values[index];
        if (typeof value === 'number') ring.append(series.timestamps[index]!, value);
      }
      if (ring.count > 0) samples.edge.heard(Math.max(ring.newestTime, Date.now() - windowMs), Date.now());
    }
    samples.changes += 1;
  }, [backfill.data, samples, windowMs]);

  const { status } = useLiveState();
  const { refetch } = backfill;
  useEffect(() => {
    if (status === 'live' && key !== '') void refetch(); // What was missed while the connection was away.
  }, [status, key, refetch]);

  useLiveEvents(
    { deviceId },
    {
      'telemetry:new': (frame) => {
        if (frame.deviceId === deviceId) takeFrame(current.current, frame);
      },
      'live:lagged': () => void refetch(), // What was left out for us is in the history.
    },
  );
  return samples;
}

function takeFrame(samples: LiveSamples, frame: TelemetryNew): void {
  let newest = Number.NEGATIVE_INFINITY;
  for (const metricKey in frame.metrics) {
    const ring = samples.rings.get(metricKey);
    if (ring === undefined) continue;
    const { timestamps, values } = frame.metrics[metricKey]!;
    for (let index = 0; index < timestamps.length; index += 1) {
      const value = values[index];
      if (typeof value === 'number') ring.append(timestamps[index]!, value);
    }
    newest = Math.max(newest, ring.newestTime);
  }
  if (newest > Number.NEGATIVE_INFINITY) samples.edge.heard(newest, Date.now());
  samples.changes += 1;
}
