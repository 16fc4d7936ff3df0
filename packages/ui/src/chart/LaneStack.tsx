/**
 * The chart: lanes above each other on one time axis, a legend beside each that shows the values under the cursor (or the
 * newest). Drawing goes past React: whoever owns the time calls draw(from, to) on the handle, sixty times a second if need be.
 */
import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { useMantineColorScheme } from '@mantine/core';
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef, useState } from 'react';
import { formatAtStep, formatValue } from '../format/number.ts';
import { formatFull } from '../format/time.ts';
import { displayUnit } from '../format/unit.ts';
import { indexNearest } from './columns.ts';
import { createLanePlot, type LanePlot, TIME_AXIS_PX, type TraceSource, VALUE_AXIS_PX } from './lane-plot.ts';
import { groupIntoLanes, laneHeights } from './lanes.ts';
import { attachPanZoom, type TimeSpan } from './pan-zoom.ts';

export interface ChartTrace {
  readonly metricKey: string;
  readonly unit: string;
  /** Index into the palette --fl-series-0 … 9. */
  readonly color: number;
  readonly source: TraceSource;
}

export interface ChartHandle {
  draw(from: number, to: number): void;
}

interface Props {
  readonly traces: readonly ChartTrace[];
  readonly heightPx: number;
  readonly label: string;
  readonly ref: Ref<ChartHandle>;
  /** The user chose another range (selection, pan, zoom); absent = the range cannot be chosen. */
  readonly onSpan?: (span: TimeSpan) => void;
  readonly onWidth?: (widthPx: number) => void;
}

const SERIES_COLORS = 10;
const LEGEND_INTERVAL_MS = 200;

export function LaneStack({ traces, heightPx, label, ref, onSpan, onWidth }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const scheme = useMantineColorScheme().colorScheme;
  const [systemDark, setSystemDark] = useState(0);
  const lanes = useMemo(() => groupIntoLanes(traces), [traces]);
  const heights = heightsOf(lanes, heightPx);
  const drawing = useRef<Drawing | null>(null);
  const span = useRef<TimeSpan>({ from: 0, to: 1 });
  const callbacks = useRef({ onSpan, onWidth });
  callbacks.current = { onSpan, onWidth };

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const plot = box.current?.querySelector<HTMLElement>('.fl-lane-plot');
      if (plot !== null && plot !== undefined && plot.clientWidth > 0) setWidth(plot.clientWidth);
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const change = (): void => setSystemDark((count) => count + 1);
    system.addEventListener('change', change);
    return () => system.removeEventListener('change', change);
  }, []);

  useEffect(() => {
    if (width > 0) callbacks.current.onWidth?.(width - VALUE_AXIS_PX);
  }, [width]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, which the scheme changes
  useEffect(() => {
    if (width === 0) return undefined;
    const created = createDrawing(box.current!, lanes, width, heightPx, (from, to) =>
      callbacks.current.onSpan?.({ from, to }),
    );
    drawing.current = created;
    if (span.current.to > 1) created.draw(span.current.from, span.current.to);
    return () => {
      drawing.current = null;
      created.destroy();
    };
  }, [lanes, width, heightPx, scheme, systemDark]);

  const selectable = onSpan !== undefined;
  useEffect(() => {
    if (!selectable) return undefined;
    return attachPanZoom(box.current!, {
      span: () => span.current,
      plotBox: () => {
        const plot = box.current!.querySelector('.u-over')?.getBoundingClientRect();
        return { left: plot?.left ?? 0, width: plot?.width ?? 1 };
      },
      change: (next) => callbacks.current.onSpan?.(next),
    });
  }, [selectable]);

  useImperativeHandle(ref, () => ({
    draw: (from, to) => {
      span.current = { from, to };
      drawing.current?.draw(from, to);
    },
  }));

  return (
    <div ref={box} className="fl-chart" role="img" aria-label={label} tabIndex={selectable ? 0 : -1}>
      {lanes.map((lane, index) => (
        <div className="fl-lane" key={lane.id}>
          <div className="fl-lane-plot" style={{ minHeight: heights[index] }}>
            {lane.unit !== '' && <div className="fl-lane-unit">{displayUnit(lane.unit)}</div>}
          </div>
          <div className="fl-lane-legend" style={{ maxHeight: heights[index] }}>
            {lane.traces.map((trace) => (
              <div className="fl-trace" key={trace.metricKey} title={trace.metricKey}>
                <span
                  className="fl-trace-line"
                  style={{ background: `var(--fl-series-${trace.color % SERIES_COLORS})` }}
                />
                <span className="fl-trace-name">{trace.metricKey}</span>
                <span className="fl-trace-value">
                  <span data-value-of={trace.metricKey}>–</span>
                  {trace.unit === '' ? '' : ` ${displayUnit(trace.unit)}`}
                </span>
              </div>
            ))}
          </div>
        </div>
      ))}
      <div className="fl-chart-cursor" data-cursor-time />
    </div>
  );
}

function heightsOf(lanes: Parameters<typeof laneHeights>[0], heightPx: number): number[] {
  const heights = laneHeights(lanes, heightPx - TIME_AXIS_PX);
  return heights.map((height, index) => (index === lanes.length - 1 ? height + TIME_AXIS_PX : height));
}

interface Drawing {
  draw(from: number, to: number): void;
  destroy(): void;
}

/** The lanes' plots and the legend's texts inside `box`; everything here is plain DOM. */
function createDrawing(
  box: HTMLElement,
  lanes: ReturnType<typeof groupIntoLanes<ChartTrace>>,
  width: number,
  heightPx: number,
  onSelect: (from: number, to: number) => void,
): Drawing {
  const styles = getComputedStyle(document.documentElement);
  const color = (name: string): string => styles.getPropertyValue(name).trim();
  const syncKey = `chart-${Math.random()}`;
  const heights = heightsOf(lanes, heightPx);
  const targets = box.querySelectorAll<HTMLElement>('.fl-lane-plot');
  const cursorText = box.querySelector<HTMLElement>('[data-cursor-time]')!;
  const values = lanes
    .flatMap((lane, index) => lane.traces.map((trace) => ({ trace, index })))
    .map(({ trace, index }) => ({
      source: trace.source,
      index,
      text: box.querySelector<HTMLElement>(`[data-value-of="${CSS.escape(trace.metricKey)}"]`)!,
    }));
  let cursorShare: number | null = null;
  let range = { from: 0, to: 1 };
  let legendDrawnAt = 0;

  const legend = (force: boolean): void => {
    const now = performance.now();
    if (!force && now - legendDrawnAt < LEGEND_INTERVAL_MS) return;
    legendDrawnAt = now;
    const time = cursorShare === null ? null : range.from + cursorShare * (range.to - range.from);
    for (const { source, index: lane, text } of values) {
      const { columns } = source;
      const step = plots[lane]?.valueStep() ?? 0;
      const index = time === null ? columns.end - 1 : indexNearest(columns, time);
      const value = index < columns.start ? Number.NaN : columns.values[index]!;
      setText(text, step === 0 || Number.isNaN(value) ? formatValue(value) : formatAtStep(value, step));
    }
    setText(cursorText, time === null ? '' : formatFull(time));
  };
  const plots: LanePlot[] = lanes.map((lane, index) =>
    createLanePlot(
      {
        width,
        height: heights[index]!,
        traces: lane.traces.map((trace) => ({
          source: trace.source,
          color: color(`--fl-series-${trace.color % SERIES_COLORS}`),
        })),
        withTimeAxis: index === lanes.length - 1,
        syncKey,
        colors: { text: color('--fl-text-faint'), grid: color('--fl-grid') },
        font: `11px ${color('--fl-font')}`,
        onCursor: (time) => {
          cursorShare = time === null ? null : (time - range.from) / (range.to - range.from);
          legend(true);
        },
        onSelect,
      },
      targets[index]!,
    ),
  );
  return {
    draw: (from, to) => {
      range = { from, to };
      for (const plot of plots) plot.draw(from, to);
      legend(false);
    },
    destroy: () => {
      for (const plot of plots) plot.destroy();
    },
  };
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
