/** Draws the live chart: a frame loop moves the window and draws what changed; React renders only when settings change. */
import { Button, SegmentedControl } from '@mantine/core';
import { Activity, Pause, Play } from 'lucide-react';
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import { useMetrics } from '../../api/use-metrics.ts';
import { type ChartHandle, type ChartTrace, LaneStack } from '../../chart/LaneStack.tsx';
import { MetricPicker } from '../../chart/MetricPicker.tsx';
import { useChartHeight } from '../../chart/use-chart-height.ts';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { t } from '../../i18n/index.ts';
import { useLiveState } from '../../live/index.ts';
import { CHART_METRICS_MAX, chosenMetrics, LIVE_WINDOWS_S, type LiveSearch, type LiveWindowS } from './panel-state.ts';
import { type LiveSamples, useLiveSamples } from './use-live-samples.ts';

interface Props {
  readonly deviceId: string;
  readonly isOnline: boolean;
  readonly search: LiveSearch;
  readonly onSearch: (search: LiveSearch) => void;
}

const BESIDE_CHART_PX = 250;
const WINDOW_DEFAULT_S = 60;

export function LiveChart({ deviceId, isOnline, search, onSearch }: Props) {
  const metrics = useMetrics(deviceId);
  const charted = useMemo(() => (metrics.data ?? []).filter((metric) => metric.valueKind !== 'text'), [metrics.data]);
  const windowS = search.window ?? WINDOW_DEFAULT_S;
  const chosen = chosenMetrics(
    search.metrics,
    charted.map((metric) => metric.metricKey),
  );
  const [paused, setPaused] = useState(false);
  const tools = (
    <>
      {charted.length > 0 && (
        <MetricPicker
          all={charted}
          chosen={chosen}
          max={CHART_METRICS_MAX}
          onChange={(keys) => onSearch({ ...search, metrics: keys })}
        />
      )}
      <SegmentedControl
        size="xs"
        aria-label={t.live.window}
        value={String(windowS)}
        onChange={(value) => onSearch({ ...search, window: Number(value) as LiveWindowS })}
        data={LIVE_WINDOWS_S.map((seconds) => ({ value: String(seconds), label: t.live.windowLabel(seconds) }))}
      />
      <Button
        variant={paused ? 'filled' : 'default'}
        leftSection={paused ? <Play size={14} /> : <Pause size={14} />}
        onClick={() => setPaused(!paused)}
      >
        {paused ? t.live.resume : t.live.pause}
      </Button>
    </>
  );
  return (
    <Panel title={t.live.title} tools={tools} className="fl-live-data">
      <Faces query={metrics} rows={8}>
        {() =>
          charted.length === 0 ? (
            <EmptyFace icon={Activity} title={t.live.empty} hint={isOnline ? t.live.emptyHint : t.live.offlineHint} />
          ) : (
            <Chart
              deviceId={deviceId}
              chosen={chosen}
              units={new Map(charted.map((metric) => [metric.metricKey, metric.unit]))}
              windowMs={windowS * 1000}
              paused={paused}
            />
          )
        }
      </Faces>
    </Panel>
  );
}

interface ChartProps {
  readonly deviceId: string;
  readonly chosen: readonly string[];
  readonly units: ReadonlyMap<string, string>;
  readonly windowMs: number;
  readonly paused: boolean;
}

function Chart({ deviceId, chosen, units, windowMs, paused }: ChartProps) {
  const samples = useLiveSamples(deviceId, chosen, windowMs);
  const chart = useRef<ChartHandle>(null);
  const heightPx = useChartHeight(BESIDE_CHART_PX);
  const { status } = useLiveState();
  const traceKey = chosen.map((key) => `${key}\u0000${units.get(key) ?? ''}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: traceKey says what matters of chosen and units
  const traces = useMemo<ChartTrace[]>(
    () =>
      chosen.map((metricKey, color) => ({
        metricKey,
        unit: units.get(metricKey) ?? '',
        color,
        source: { columns: samples.rings.get(metricKey)! },
      })),
    [traceKey, samples],
  );
  useFrameLoop(chart, samples, windowMs, paused || status === 'lost');
  return <LaneStack ref={chart} traces={traces} heightPx={heightPx} label={t.live.chartLabel(chosen.join(', '))} />;
}

const CALM_INTERVAL_MS = 1000;

/** Draws once a frame while the window moves; a standing chart is drawn only when something arrived for it. */
function useFrameLoop(
  chart: RefObject<ChartHandle | null>,
  samples: LiveSamples,
  windowMs: number,
  standing: boolean,
): void {
  const stoodAt = useRef<number | null>(null);
  useEffect(() => {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    let frame = 0;
    let drawnAt = Number.NEGATIVE_INFINITY;
    let drawnChanges = -1;
    stoodAt.current = standing ? (stoodAt.current ?? samples.edge.at(Date.now())) : null;
    const loop = (now: number): void => {
      frame = requestAnimationFrame(loop);
      if (calm && now - drawnAt < CALM_INTERVAL_MS) return;
      if (standing && drawnChanges === samples.changes) return;
      drawnAt = now;
      drawnChanges = samples.changes;
      const to = stoodAt.current ?? samples.edge.at(Date.now());
      chart.current?.draw(to - windowMs, to);
    };
    frame = requestAnimationFrame(loop);
    return () => cancelAnimationFrame(frame);
  }, [chart, samples, windowMs, standing]);
}
