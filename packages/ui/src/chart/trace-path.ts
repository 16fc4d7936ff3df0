/**
 * From columns to a line on the screen. Where samples are denser than pixels each pixel column gets its first, lowest,
 * and highest value: no peak is lost and the cost is bounded by the width. Pure: the sink is a canvas or a test.
 */
import { type Columns, indexAtOrAfter } from './columns.ts';

export interface PathSink {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** Where the drawing goes; pixels. The x axis is linear over [from, to], y is up from `bottom`. */
export interface Viewport {
  readonly from: number;
  readonly to: number;
  readonly low: number;
  readonly high: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Samples a pixel from which columns of pixels are drawn instead of samples. */
const DENSE = 1.5;

/** Whether samples are so dense that pixel columns are drawn: then a hairline is enough, and much cheaper. */
export function isDense(columns: Columns, view: Viewport): boolean {
  return indexAtOrAfter(columns, view.to) - indexAtOrAfter(columns, view.from) > view.width * DENSE;
}

/** Draws the line of values. */
export function tracePath(columns: Columns, view: Viewport, sink: PathSink): void {
  const { times, values, gapMs } = columns;
  const first = Math.max(columns.start, indexAtOrAfter(columns, view.from) - 1);
  const last = Math.min(columns.end, indexAtOrAfter(columns, view.to) + 1);
  const scaleX = view.width / (view.to - view.from);
  const scaleY = view.height / (view.high - view.low);
  const base = view.top + view.height;
  const dense = isDense(columns, view);
  let pen = false; // Whether there is a point to draw from.
  let column = Number.NaN;
  let lowest = 0; // Of the column, in pixels; the pen stands at one of the two or between them.
  let highest = 0;
  let penY = 0;
  let timeBefore = 0;
  for (let index = first; index < last; index += 1) {
    const value = values[index]!;
    const time = times[index]!;
    const isNone = Number.isNaN(value);
    if (isNone || (pen && time - timeBefore > gapMs)) {
      if (pen) penY = drawColumn(sink, column, lowest, highest, penY);
      pen = false;
      column = Number.NaN;
      if (isNone) continue;
    }
    const exactX = view.left + (time - view.from) * scaleX;
    const x = dense ? Math.round(exactX) : exactX;
    const y = base - (value - view.low) * scaleY;
    timeBefore = time;
    if (x === column) {
      if (y < lowest) lowest = y;
      if (y > highest) highest = y;
      continue;
    }
    if (pen) {
      penY = drawColumn(sink, column, lowest, highest, penY);
      sink.lineTo(x, y);
    } else {
      sink.moveTo(x, y);
      sink.lineTo(x + 0.5, y); // A lone sample shows as a dot.
    }
    pen = true;
    column = x;
    penY = lowest = highest = y;
  }
  if (pen) drawColumn(sink, column, lowest, highest, penY);
}

/** Draws the extent of a pixel column, the nearer end first. Returns where the pen stands then. */
function drawColumn(sink: PathSink, x: number, lowest: number, highest: number, penY: number): number {
  if (lowest === highest) return penY;
  const nearer = penY - lowest < highest - penY ? lowest : highest;
  const further = nearer === lowest ? highest : lowest;
  if (nearer !== penY) sink.lineTo(x, nearer);
  sink.lineTo(x, further);
  return further;
}

/** Draws the outline of the envelope, piece by piece between gaps; to be filled. Nothing for samples. */
export function envelopePath(columns: Columns, view: Viewport, sink: PathSink & { closePath(): void }): void {
  const { times, lows, highs, gapMs } = columns;
  if (lows === undefined || highs === undefined) return;
  const first = Math.max(columns.start, indexAtOrAfter(columns, view.from) - 1);
  const last = Math.min(columns.end, indexAtOrAfter(columns, view.to) + 1);
  const x = (index: number): number => view.left + ((times[index]! - view.from) * view.width) / (view.to - view.from);
  const y = (value: number): number =>
    view.top + view.height - ((value - view.low) * view.height) / (view.high - view.low);
  let index = first;
  while (index < last) {
    let end = index;
    while (end < last && !Number.isNaN(highs[end]!) && (end === index || times[end]! - times[end - 1]! <= gapMs))
      end += 1;
    if (end - index > 1) {
      sink.moveTo(x(index), y(highs[index]!));
      for (let at = index + 1; at < end; at += 1) sink.lineTo(x(at), y(highs[at]!));
      for (let at = end - 1; at >= index; at -= 1) sink.lineTo(x(at), y(lows[at]!));
      sink.closePath();
    }
    index = Math.max(end, index + 1);
  }
}
