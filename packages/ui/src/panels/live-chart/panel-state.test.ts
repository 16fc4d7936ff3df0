/** The live chart's address, choice of metrics and moving edge. */
import { describe, expect, it } from 'vitest';
import { CHART_METRICS_DEFAULT, CHART_METRICS_MAX, chosenMetrics, LiveEdge, readLiveSearch } from './panel-state.ts';

describe('readLiveSearch', () => {
  it.each([
    [
      { window: 300, metrics: ['a', 'b', 'a'] },
      { window: 300, metrics: ['a', 'b'] },
    ],
    [{ window: 7, metrics: 'a' }, {}],
    [{ metrics: [1, '', 'x'] }, { metrics: ['x'] }],
  ])('%j means %j', (search, meaning) => expect(readLiveSearch(search)).toEqual(meaning));

  it('takes no more metrics than a chart can show', () => {
    const many = Array.from({ length: 500 }, (_, index) => `m${index}`);
    expect(readLiveSearch({ metrics: many }).metrics).toHaveLength(CHART_METRICS_MAX);
    expect(chosenMetrics(undefined, many)).toHaveLength(CHART_METRICS_DEFAULT);
    expect(chosenMetrics(['m3', 'gone'], many)).toEqual(['m3']);
    expect(chosenMetrics([], many)).toEqual([]);
  });
});

describe('LiveEdge', () => {
  it('follows a device clock that runs ahead at once, one that falls back slowly', () => {
    const edge = new LiveEdge();
    edge.heard(5_000, 1_000);
    expect(edge.at(1_100)).toBe(5_100);
    edge.heard(5_050, 1_150);
    expect(edge.at(1_150)).toBeGreaterThan(5_140);
    edge.heard(7_000, 1_200);
    expect(edge.at(1_200)).toBe(7_000);
  });

  it('jumps back when the clock of the device was set back', () => {
    const edge = new LiveEdge();
    edge.heard(100_000, 0);
    edge.heard(1_000, 500);
    expect(edge.at(500)).toBe(1_000);
  });
});
