/** From an address to a question, from an answer to columns. */
import { describe, expect, it } from 'vitest';
import { columnsOf, followsNow, questionOf, readHistorySearch, spanOf } from './panel-state.ts';

const HOUR = 3_600_000;

describe('readHistorySearch', () => {
  it.each([
    [{ range: '24h' }, { range: '24h' }],
    [{ range: 'toString' }, {}],
    [
      { from: 1000, to: '2000', range: '1h' },
      { from: 1000, to: 2000 },
    ],
    [{ from: 2000, to: 1000 }, {}],
    [{ from: 'x', to: 5, metrics: ['a'] }, { metrics: ['a'] }],
  ])('%j means %j', (search, meaning) => expect(readHistorySearch(search)).toEqual(meaning));

  it('follows the time with a preset, stands still with a fixed range', () => {
    expect(spanOf({ range: '6h' }, 10 * HOUR)).toEqual({ from: 4 * HOUR, to: 10 * HOUR });
    expect(followsNow({ range: '6h' })).toBe(true);
    expect(spanOf({ from: 1, to: 2 }, 99)).toEqual({ from: 1, to: 2 });
    expect(followsNow({ from: 1, to: 2 })).toBe(false);
  });
});

describe('questionOf', () => {
  it('asks for samples in short spans and roll-ups in long ones, as many as the pixels need', () => {
    const short = questionOf({ from: HOUR, to: HOUR + 600_000 }, 800);
    expect(short.aggregation).toBe('none');
    expect(short.points).toBe(1400);
    expect(questionOf({ from: 0, to: 24 * HOUR }, 800).aggregation).toBe('auto');
  });

  it('covers the span with a margin and never asks before 1970', () => {
    const question = questionOf({ from: 10 * HOUR, to: 20 * HOUR }, 800);
    expect(question.startTime).toBeLessThan(10 * HOUR);
    expect(question.endTime).toBeGreaterThan(20 * HOUR);
    expect(questionOf({ from: 0, to: HOUR }, 800).startTime).toBe(0);
  });

  it('asks the same for spans that differ by less than can be seen', () => {
    const span = { from: 100 * HOUR + 5_000, to: 110 * HOUR + 5_000 };
    const near = { from: span.from + 1, to: span.to + 1 };
    expect(questionOf(near, 800)).toEqual(questionOf(span, 800));
  });
});

describe('columnsOf', () => {
  it('draws buckets at their middle, with their envelope', () => {
    const columns = columnsOf(
      {
        kind: 'buckets',
        deviceId: 'd',
        metricKey: 'm',
        unit: '',
        timestamps: [0, 60_000],
        avg: [1, null],
        min: [0, null],
        max: [2, null],
        stddev: [0, null],
        count: [5, 0],
        first: [1, null],
        last: [1, null],
        percentGood: [100, 0],
      },
      '1m',
    );
    expect([...columns.times]).toEqual([30_000, 90_000]);
    expect(columns.highs?.[0]).toBe(2);
    expect(columns.values[1]).toBeNaN();
    expect(columns.gapMs).toBe(150_000);
  });

  it('takes texts among samples as no value', () => {
    const common = { kind: 'samples' as const, deviceId: 'd', metricKey: 'm', unit: '' };
    const columns = columnsOf({ ...common, timestamps: [1, 2], values: [5, 'RUN'], quality: [192, 192] }, 'none');
    expect(columns.values[0]).toBe(5);
    expect(columns.values[1]).toBeNaN();
  });
});
