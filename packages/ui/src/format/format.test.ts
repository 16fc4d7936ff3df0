/** Numbers, times and units as people read them. */
import { describe, expect, it } from 'vitest';
import { formatAtStep, formatBytes, formatCompact, formatRate, formatSeconds, formatValue } from './number.ts';
import { formatAge, formatFull, formatTicks } from './time.ts';
import { displayUnit } from './unit.ts';

describe('numbers', () => {
  it.each([
    [0.1 + 0.2, '0.3'],
    [1234.5678, '1,234.57'],
    [0, '0'],
    [1e12, '1E12'],
    ['RUNNING', 'RUNNING'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('formatValue(%s) = %s', (value, text) => expect(formatValue(value)).toBe(text));

  it.each([
    [47.5, 2.5, '47.5'],
    [45, 2.5, '45.0'],
    [0.25, 0.05, '0.25'],
    [100, 50, '100'],
    [0.0003, 0.0001, '0.0003'],
  ])('formatAtStep(%s, %s) = %s', (value, step, text) => expect(formatAtStep(value, step)).toBe(text));

  it('shortens what is large', () => {
    expect([formatCompact(9_999), formatCompact(1_234_567)]).toEqual(['9,999', '1.2M']);
    expect([formatRate(0), formatRate(0.4), formatRate(3.25), formatRate(128_600)]).toEqual([
      '0',
      '0.4',
      '3.3',
      '128.6K',
    ]);
    expect([formatBytes(0), formatBytes(1536), formatBytes(24_361_233_920)]).toEqual(['0 B', '1.5 KB', '22.7 GB']);
    expect([formatSeconds(0.04), formatSeconds(2.13), formatSeconds(840)]).toEqual(['40 ms', '2.1 s', '14 min']);
  });
});

describe('times', () => {
  const now = Date.UTC(2026, 10, 21, 12);
  it.each([
    [400, 'now'],
    [5_000, '5 s ago'],
    [125_000, '2 min ago'],
    [7_300_000, '2 h ago'],
    [12 * 86_400_000, '12 d ago'],
    [-9_000, 'in 9 s'],
  ])('an age of %s ms reads %s', (age, text) => expect(formatAge(now - age, now)).toBe(text));

  it('names zone and milliseconds in full', () => {
    expect(formatFull(now + 7)).toMatch(/2026.*:00[.,]007.*(GMT|UTC).*\(.+\)$/);
    expect(formatFull('never')).toBe('');
  });

  it('says the date where a day begins on the axis', () => {
    const midnight = new Date(2026, 10, 21).getTime();
    const labels = formatTicks([midnight - 3_600_000, midnight, midnight + 3_600_000], 3_600_000);
    expect(labels.map((label) => label.includes('\n'))).toEqual([false, true, false]);
    expect(formatTicks([midnight], 86_400_000)).toEqual(['21 Nov']);
  });
});

describe('units', () => {
  it.each([
    ['Cel', '°C'],
    ['m3/h', 'm³/h'],
    ['m/s2', 'm/s²'],
    ['um', 'µm'],
    ['{rpm}', 'rpm'],
    ['1', ''],
    ['bar', 'bar'],
    ['%', '%'],
  ])('%s → %s', (code, text) => expect(displayUnit(code)).toBe(text));
});
