/** Draws the history: presets, zoom, pan; the view moves at once, the data follow. */
import { ActionIcon, Button, Loader, SegmentedControl, Tooltip } from '@mantine/core';
import { ChartNoAxesCombined, ChevronLeft, ChevronRight, RotateCcw, ZoomIn, ZoomOut } from 'lucide-react';
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useMetrics } from '../../api/use-metrics.ts';
import { type ChartHandle, type ChartTrace, LaneStack } from '../../chart/LaneStack.tsx';
import { MetricPicker } from '../../chart/MetricPicker.tsx';
import { panSpan, type TimeSpan, zoomSpan } from '../../chart/pan-zoom.ts';
import { useChartHeight } from '../../chart/use-chart-height.ts';
import { EmptyFace, ErrorFace } from '../../faces/Face.tsx';
import { Faces, StaleBar } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';
import { CHART_METRICS_MAX, chosenMetrics } from '../live-chart/panel-state.ts';
import {
  columnsOf,
  followsNow,
  type HistorySearch,
  PRESET_DEFAULT,
  PRESETS,
  type Preset,
  spanOf,
} from './panel-state.ts';
import { useHistory } from './use-history.ts';
import './history.css';

interface Props {
  readonly deviceId: string;
  readonly search: HistorySearch;
  readonly onSearch: (search: HistorySearch) => void;
}

const BESIDE_CHART_PX = 280;
const FOLLOW_INTERVAL_MS = 15_000;
const EMPTY_COLUMNS = { times: new Float64Array(0), values: new Float64Array(0), start: 0, end: 0, gapMs: 0 };

export function HistoryChart({ deviceId, search, onSearch }: Props) {
  const metrics = useMetrics(deviceId);
  const charted = useMemo(() => (metrics.data ?? []).filter((metric) => metric.valueKind !== 'text'), [metrics.data]);
  const chosen = chosenMetrics(
    search.metrics,
    charted.map((metric) => metric.metricKey),
  );
  const now = useSlowNow(followsNow(search));
  const span = spanOf(search, now);
  const keep = search.metrics === undefined ? {} : { metrics: search.metrics };
  const goTo = ({ from, to }: TimeSpan): void => onSearch({ from: Math.round(from), to: Math.round(to), ...keep });
  return (
    <Panel
      title={t.history.title}
      tools={
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
            aria-label={t.history.range}
            value={followsNow(search) ? (search.range ?? PRESET_DEFAULT) : ''}
            onChange={(range) => onSearch({ range: range as Preset, ...keep })}
            data={Object.keys(PRESETS).map((preset) => ({
              value: preset,
              label: t.history.presets[preset as Preset],
            }))}
          />
        </>
      }
    >
      <SpanBar span={span} follows={followsNow(search)} onSpan={goTo} onBack={() => onSearch(keep)} />
      <Faces query={metrics} rows={8}>
        {() =>
          charted.length === 0 ? (
            <EmptyFace icon={ChartNoAxesCombined} title={t.history.empty} hint={t.live.emptyHint} />
          ) : (
            <Chart
              deviceId={deviceId}
              chosen={chosen}
              units={new Map(charted.map((metric) => [metric.metricKey, metric.unit]))}
              span={span}
              onSpan={goTo}
            />
          )
        }
      </Faces>
    </Panel>
  );
}

interface SpanBarProps {
  readonly span: TimeSpan;
  readonly follows: boolean;
  readonly onSpan: (span: TimeSpan) => void;
  readonly onBack: () => void;
}

function SpanBar({ span, follows, onSpan, onBack }: SpanBarProps) {
  const step = (label: string, icon: ReactNode, next: () => TimeSpan) => (
    <Tooltip label={label}>
      <ActionIcon aria-label={label} onClick={() => onSpan(next())}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
  return (
    <div className="fl-span-bar">
      {step(t.history.earlier, <ChevronLeft size={16} />, () => panSpan(span, -0.5))}
      {step(t.history.later, <ChevronRight size={16} />, () => panSpan(span, 0.5))}
      {step(t.history.zoomIn, <ZoomIn size={16} />, () => zoomSpan(span, 0.5))}
      {step(t.history.zoomOut, <ZoomOut size={16} />, () => zoomSpan(span, 2))}
      <span className="fl-span-text fl-number">
        <Time at={span.from} as="clock" /> – <Time at={span.to} as="clock" />
      </span>
      {!follows && (
        <Button variant="light" size="compact-xs" leftSection={<RotateCcw size={13} />} onClick={onBack}>
          {t.history.back}
        </Button>
      )}
      <span className="fl-span-hint">{t.history.hint}</span>
    </div>
  );
}

interface ChartProps {
  readonly deviceId: string;
  readonly chosen: readonly string[];
  readonly units: ReadonlyMap<string, string>;
  readonly span: TimeSpan;
  readonly onSpan: (span: TimeSpan) => void;
}

function Chart({ deviceId, chosen, units, span, onSpan }: ChartProps) {
  const chart = useRef<ChartHandle>(null);
  const heightPx = useChartHeight(BESIDE_CHART_PX);
  const [widthPx, setWidthPx] = useState(0);
  const history = useHistory(deviceId, chosen, span, widthPx);
  const traceKey = chosen.map((key) => `${key}\u0000${units.get(key) ?? ''}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: traceKey says what matters of chosen and units
  const traces = useMemo<ChartTrace[]>(
    () =>
      chosen.map((metricKey, color) => ({
        metricKey,
        unit: units.get(metricKey) ?? '',
        color,
        source: { columns: EMPTY_COLUMNS },
      })),
    [traceKey],
  );
  const { data } = history;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new width makes new plots, which are drawn here
  useEffect(() => {
    for (const trace of traces) {
      const series = data?.series.find((one) => one.metricKey === trace.metricKey);
      trace.source.columns = series === undefined ? EMPTY_COLUMNS : columnsOf(series, data!.aggregation);
    }
    chart.current?.draw(span.from, span.to);
  }, [data, traces, span.from, span.to, widthPx, heightPx]);

  const isEmpty = data !== undefined && !history.isBehind && data.series.every((one) => one.timestamps.length === 0);
  if (history.isError && data === undefined) {
    return <ErrorFace error={history.error} onRetry={() => void history.refetch()} />;
  }
  return (
    <div className="fl-history" data-behind={history.isBehind}>
      {history.isError && <StaleBar since={history.dataUpdatedAt} />}
      <LaneStack
        ref={chart}
        traces={traces}
        heightPx={heightPx}
        label={t.history.chartLabel(chosen.join(', '))}
        onSpan={onSpan}
        onWidth={setWidthPx}
      />
      {isEmpty && (
        <div className="fl-history-empty">
          <EmptyFace icon={ChartNoAxesCombined} title={t.history.empty} hint={t.history.emptyHint} />
        </div>
      )}
      <div className="fl-history-foot" aria-live="polite">
        {data !== undefined && t.history.resolution[data.aggregation]}
        {history.isBehind && <Loader size={12} aria-label={t.history.loading} />}
      </div>
    </div>
  );
}

/** Now, renewed slowly: a following history moves on without asking the store every second. */
function useSlowNow(follows: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!follows) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), FOLLOW_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [follows]);
  return now;
}
