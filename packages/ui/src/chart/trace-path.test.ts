/** The line keeps every peak, breaks at gaps, and costs no more than the width. */
import { describe, expect, it } from 'vitest';
import { type Columns, indexNearest, typicalSpacing, widenByValues } from './columns.ts';
import { envelopePath, tracePath, type Viewport } from './trace-path.ts';

const VIEW: Viewport = { from: 0, to: 1000, low: 0, high: 100, left: 0, top: 0, width: 200, height: 100 };

function columns(times: number[], values: number[], gapMs = 1e9): Columns {
  return { times: Float64Array.from(times), values: Float64Array.from(values), start: 0, end: times.length, gapMs };
}

function recorder() {
  const steps: [string, number, number][] = [];
  return {
    steps,
    moveTo: (x: number, y: number) => void steps.push(['move', x, y]),
    lineTo: (x: number, y: number) => void steps.push(['line', x, y]),
    closePath: () => void steps.push(['close', 0, 0]),
  };
}

describe('tracePath', () => {
  it('keeps the one peak among a hundred thousand samples, with a bounded number of steps', () => {
    const times = Array.from({ length: 100_000 }, (_, index) => index / 100);
    const values = times.map((_, index) => (index === 54_321 ? 100 : 50));
    const sink = recorder();
    tracePath(columns(times, values), VIEW, sink);
    expect(Math.min(...sink.steps.map(([, , y]) => y))).toBe(0);
    expect(sink.steps.length).toBeLessThan(VIEW.width * 2 * 4 + 8);
  });

  it('lifts the pen over gaps and over NaN', () => {
    const sink = recorder();
    tracePath(columns([0, 10, 500, 510, 520, 530], [1, 2, 3, Number.NaN, 5, 6], 100), VIEW, sink);
    expect(sink.steps.filter(([step]) => step === 'move')).toHaveLength(3);
  });

  it('draws from the neighbours outside the view, so that the line reaches the edges', () => {
    const sink = recorder();
    tracePath(columns([-500, 500, 1500], [0, 50, 100]), VIEW, sink);
    expect(sink.steps[0]![1]).toBe(-100);
    expect(sink.steps.at(-1)![1]).toBe(300);
  });

  it('draws the envelope as closed pieces between gaps', () => {
    const sink = recorder();
    const base = columns([0, 10, 20, 500, 510], [1, 1, 1, 1, 1], 100);
    const lows = base.values.map(() => 0);
    const highs = base.values.map(() => 9);
    envelopePath({ ...base, lows, highs }, VIEW, sink);
    expect(sink.steps.filter(([step]) => step === 'close')).toHaveLength(2);
  });
});

describe('columns', () => {
  it('finds the sample under the cursor, not one beyond a gap', () => {
    const trace = columns([0, 100, 1000], [1, 2, 3], 200);
    expect(indexNearest(trace, 60)).toBe(1);
    expect(indexNearest(trace, 49)).toBe(0);
    expect(indexNearest(trace, 550)).toBe(-1);
    expect(indexNearest(columns([], []), 5)).toBe(-1);
  });

  it('sees the range of what is in view alone', () => {
    const seen = { low: Infinity, high: -Infinity };
    widenByValues(columns([0, 100, 200, 300], [99, 5, 7, -99]), 100, 250, seen);
    expect(seen).toEqual({ low: 5, high: 99 }); // The neighbour before the view is drawn, so it counts.
  });

  it('takes the median for the typical spacing', () => {
    expect(typicalSpacing([0, 10, 20, 30, 5000])).toBe(10);
    expect(typicalSpacing([7])).toBe(0);
  });
});
