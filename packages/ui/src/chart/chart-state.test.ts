/** Lanes, value range, pan and zoom. */
import { describe, expect, it } from 'vitest';
import { groupIntoLanes, laneHeights } from './lanes.ts';
import { panSpan, SPAN_MAX_MS, SPAN_MIN_MS, spanAfterKey, zoomSpan } from './pan-zoom.ts';
import { valueRange } from './value-range.ts';

const trace = (metricKey: string, unit = '') => ({ metricKey, unit });

describe('groupIntoLanes', () => {
  it('puts one unit into one lane, and numbered names without a unit together', () => {
    const lanes = groupIntoLanes([trace('t1', 'Cel'), trace('j_1'), trace('j_2'), trace('t2', 'Cel'), trace('speed')]);
    expect(lanes.map((lane) => lane.traces.map((one) => one.metricKey))).toEqual([
      ['t1', 't2'],
      ['j_1', 'j_2'],
      ['speed'],
    ]);
  });

  it('gives lanes with more traces more room, and every legend its lines', () => {
    const lanes = groupIntoLanes([
      trace('a1'),
      trace('a2'),
      trace('a3'),
      trace('a4'),
      trace('a5'),
      trace('a6'),
      trace('b'),
    ]);
    const [many, one] = laneHeights(lanes, 400);
    expect(many).toBeGreaterThan(one!);
    expect(laneHeights(lanes, 50)[0]).toBeGreaterThanOrEqual(6 * 22);
  });
});

describe('valueRange', () => {
  it('holds while the data fit and fill it, follows when they do not', () => {
    const first = valueRange(0, 100, null);
    expect(first).toEqual({ low: -8, high: 108 });
    expect(valueRange(5, 95, first)).toBe(first);
    expect(valueRange(0, 120, first).high).toBeGreaterThan(120);
    expect(valueRange(40, 60, first).high).toBeLessThan(70);
  });

  it('gives a flat line room, and nothing a range at all', () => {
    const flat = valueRange(5, 5, null);
    expect(flat.low).toBeLessThan(5);
    expect(flat.high).toBeGreaterThan(5);
    expect(valueRange(Infinity, -Infinity, null)).toEqual({ low: 0, high: 1 });
  });
});

describe('pan and zoom', () => {
  it('keeps the time under the pointer where it is', () => {
    expect(zoomSpan({ from: 0, to: 1000 }, 0.5, 250)).toEqual({ from: 125, to: 625 });
  });

  it('stays within the limits', () => {
    const tiny = zoomSpan({ from: 0, to: 300 }, 1e-9);
    expect(tiny.to - tiny.from).toBeCloseTo(SPAN_MIN_MS);
    const huge = zoomSpan({ from: 0, to: 300 }, 1e15);
    expect(huge.to - huge.from).toBeCloseTo(SPAN_MAX_MS);
  });

  it('answers to keys', () => {
    const span = { from: 0, to: 400 };
    expect(spanAfterKey('ArrowRight', span)).toEqual(panSpan(span, 0.25));
    expect(spanAfterKey('+', span)).toEqual({ from: 100, to: 300 });
    expect(spanAfterKey('a', span)).toBeNull();
  });
});
