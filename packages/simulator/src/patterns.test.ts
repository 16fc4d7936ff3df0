import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSource, type Pattern, type Value } from './patterns.ts';
import { createRandom } from './random.ts';

const START = Date.UTC(2026, 0, 1);

function readings(pattern: Pattern, count: number, stepMs: number, seed = 'test'): Value[] {
  const source = createSource(pattern, seed, createRandom(seed));
  return Array.from({ length: count }, (_, at) => source(START + at * stepMs));
}

const numbers = (pattern: Pattern, count: number, stepMs: number, seed?: string): number[] =>
  readings(pattern, count, stepMs, seed) as number[];

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}

describe('patterns', () => {
  it('constant', () => {
    expect(readings({ pattern: 'constant', value: 'ON' }, 2, 1)).toEqual(['ON', 'ON']);
  });

  it('sine goes through mean, top and bottom', () => {
    const pattern: Pattern = { pattern: 'sine', mean: 10, amplitude: 5, periodMs: 4000 };
    expect(readings(pattern, 5, 1000)).toEqual([10, 15, 10, 5, 10]);
    expect(readings({ ...pattern, phase: 0.25 }, 2, 1000)).toEqual([15, 10]);
  });

  it('step holds each value and begins again', () => {
    expect(readings({ pattern: 'step', values: [1, true, 'x'], holdMs: 2000 }, 7, 1000)).toEqual([
      1,
      1,
      true,
      true,
      'x',
      'x',
      1,
    ]);
  });

  it('rounds to its decimals', () => {
    expect(readings({ pattern: 'constant', value: 1.23456, decimals: 3 }, 1, 1)).toEqual([1.235]);
    expect(readings({ pattern: 'constant', value: 1.23456 }, 1, 1)).toEqual([1.23]);
  });

  for (const stepMs of [1000, 60_000]) {
    it(`walk keeps mean and spread at steps of ${stepMs} ms`, () => {
      const values = numbers({ pattern: 'walk', mean: 50, spread: 4, memoryMs: 10_000 }, 20_000, stepMs);
      expect(meanOf(values)).toBeCloseTo(50, 0);
      expect(deviationOf(values)).toBeGreaterThan(3.5);
      expect(deviationOf(values)).toBeLessThan(4.5);
    });
  }

  it('walk moves little in little time and stays within its bounds', () => {
    const values = numbers(
      { pattern: 'walk', mean: 50, spread: 30, memoryMs: 600_000, minimum: 20, maximum: 80 },
      5000,
      1000,
    );
    const steps = values.slice(1).map((value, at) => Math.abs(value - values[at]!));
    expect(Math.max(...steps)).toBeLessThan(10);
    expect([Math.min(...values) >= 20, Math.max(...values) <= 80]).toEqual([true, true]);
  });

  it('breach is normal and once in each period at its level', () => {
    const values = numbers({ pattern: 'breach', mean: 5, level: 9, everyMs: 60_000, forMs: 10_000 }, 600, 1000);
    for (let round = 0; round < 10; round++) {
      const inRound = values.slice(round * 60, round * 60 + 60);
      expect(inRound.filter((value) => value === 9).length).toBeGreaterThanOrEqual(7);
      expect(inRound.filter((value) => value === 5).length).toBeGreaterThanOrEqual(48);
    }
  });

  it('is the same for the same seed and another for another', () => {
    const pattern: Pattern = { pattern: 'walk', mean: 0, spread: 1 };
    expect(numbers(pattern, 50, 1000, 'a')).toEqual(numbers(pattern, 50, 1000, 'a'));
    expect(numbers(pattern, 50, 1000, 'a')).not.toEqual(numbers(pattern, 50, 1000, 'b'));
  });
});

describe('random', () => {
  it('is uniform and normal', () => {
    const random = createRandom(1);
    const uniform = Array.from({ length: 20_000 }, () => random.next());
    const gaussian = Array.from({ length: 20_000 }, () => random.gaussian());
    expect(meanOf(uniform)).toBeCloseTo(0.5, 1);
    expect(meanOf(gaussian)).toBeCloseTo(0, 1);
    expect(deviationOf(gaussian)).toBeCloseTo(1, 1);
  });

  it('stays within [0, 1) for any seed', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const value = createRandom(seed).next();
        return value >= 0 && value < 1;
      }),
    );
  });
});
