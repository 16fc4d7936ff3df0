/**
 * One lane on the screen: uPlot gives axes, grid, cursor and selection; the lines are drawn from columns by trace-path.
 * uPlot's own data are two empty points, so that no frame copies samples. No React.
 */
import uPlot from 'uplot';
import { formatAtStep } from '../format/number.ts';
import { formatTicks } from '../format/time.ts';
import { type Columns, widenByValues } from './columns.ts';
import { envelopePath, isDense, tracePath, type Viewport } from './trace-path.ts';
import { type ValueRange, valueRange } from './value-range.ts';

/** Holds the columns to draw; they may be exchanged between two drawings. */
export interface TraceSource {
  columns: Columns;
}

export interface LaneTrace {
  readonly source: TraceSource;
  /** #rrggbb */
  readonly color: string;
}

export interface LaneOptions {
  readonly width: number;
  readonly height: number;
  readonly traces: readonly LaneTrace[];
  readonly withTimeAxis: boolean;
  readonly syncKey: string;
  readonly colors: { readonly text: string; readonly grid: string };
  readonly font: string;
  /** The time under the cursor; null when it leaves. */
  readonly onCursor: (time: number | null) => void;
  /** A range was selected with the mouse; absent = selecting is off. */
  readonly onSelect?: (from: number, to: number) => void;
}

export const VALUE_AXIS_PX = 58;
export const TIME_AXIS_PX = 42;
const NO_DATA_TIMES = [0, 8e12];

export interface LanePlot {
  readonly plot: uPlot;
  /** A step of the value axis that is worth telling apart: a 500th of what is shown, as a power of ten. */
  valueStep(): number;
  draw(from: number, to: number): void;
  resize(width: number, height: number): void;
  destroy(): void;
}

export function createLanePlot(options: LaneOptions, target: HTMLElement): LanePlot {
  const view = { from: 0, to: 1 };
  let held: ValueRange | null = null;
  const axisRange = (): [number, number] => {
    const seen = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY };
    for (const { source } of options.traces) widenByValues(source.columns, view.from, view.to, seen);
    held = valueRange(seen.low, seen.high, held);
    return [held.low, held.high];
  };
  const plot = new uPlot(
    {
      width: options.width,
      height: options.height,
      ms: 1,
      padding: [8, 8, options.withTimeAxis ? 0 : 4, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { range: axisRange } },
      axes: [timeAxis(options), valueAxis(options)],
      cursor: {
        points: { show: false },
        y: false,
        drag: { x: options.onSelect !== undefined, y: false, setScale: false, dist: 4 },
        sync: { key: options.syncKey, scales: ['x', null] },
      },
      series: [{}, { show: true, points: { show: false }, paths: () => null }],
      hooks: {
        draw: [(u) => drawTraces(u, options.traces)],
        setCursor: [(u) => options.onCursor(u.cursor.left! < 0 ? null : u.posToVal(u.cursor.left!, 'x'))],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            const from = u.posToVal(u.select.left, 'x');
            const to = u.posToVal(u.select.left + u.select.width, 'x');
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            options.onSelect?.(from, to);
          },
        ],
      },
    },
    [NO_DATA_TIMES, [null, null]],
    target,
  );
  return {
    plot,
    valueStep: () => (held === null ? 0 : 10 ** Math.floor(Math.log10((held.high - held.low) / 200))),
    draw: (from, to) => {
      view.from = from;
      view.to = to;
      plot.setScale('x', { min: from, max: to });
    },
    resize: (width, height) => plot.setSize({ width, height }),
    destroy: () => plot.destroy(),
  };
}

const LINE_PX = 1.5;
/** A hairline: with dense samples the canvas draws it many times faster than a line that needs joins. */
const DENSE_LINE_PX = 1;

/** Draws bands, then lines, clipped to the plotting area. Straight onto the canvas: no path object is made a frame. */
function drawTraces(u: uPlot, traces: readonly LaneTrace[]): void {
  const { ctx } = u;
  const view = viewportOf(u);
  const bandAlpha = traces.length > 2 ? '1c' : '33'; // Many bands over each other stay readable.
  ctx.save();
  ctx.beginPath();
  ctx.rect(view.left, view.top, view.width, view.height);
  ctx.clip();
  ctx.lineJoin = 'bevel';
  ctx.setLineDash([]);
  for (const { source, color } of traces) {
    if (source.columns.lows === undefined) continue;
    ctx.fillStyle = `${color}${bandAlpha}`;
    ctx.beginPath();
    envelopePath(source.columns, view, ctx);
    ctx.fill();
  }
  for (const { source, color } of traces) {
    ctx.strokeStyle = color;
    ctx.lineWidth = isDense(source.columns, view) ? DENSE_LINE_PX : LINE_PX * devicePixelRatio;
    ctx.beginPath();
    tracePath(source.columns, view, ctx);
    ctx.stroke();
  }
  ctx.restore();
}

function viewportOf(u: uPlot): Viewport {
  const { left, top, width, height } = u.bbox;
  const { x, y } = u.scales;
  return { from: x!.min!, to: x!.max!, low: y!.min!, high: y!.max!, left, top, width, height };
}

function timeAxis({ withTimeAxis, colors, font }: LaneOptions): uPlot.Axis {
  return {
    stroke: colors.text,
    font,
    size: withTimeAxis ? TIME_AXIS_PX : 0,
    space: 76,
    gap: 6,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
    values: (_u, ticks, _axis, _space, step) => (withTimeAxis ? formatTicks(ticks, step) : ticks.map(() => '')),
  };
}

function valueAxis({ colors, font }: LaneOptions): uPlot.Axis {
  return {
    stroke: colors.text,
    font,
    size: VALUE_AXIS_PX,
    space: 32,
    gap: 8,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
    values: (_u, ticks, _axis, _space, step) => ticks.map((tick) => formatAtStep(tick, step)),
  };
}
