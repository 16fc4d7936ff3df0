/** The ring keeps the newest samples, in order, whatever order they come in; held against a plain array that is sorted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleRing } from './sample-ring.ts';

const contentOf = (ring: SampleRing) =>
  Array.from(ring.times.subarray(ring.start, ring.end), (time, index) => [time, ring.values[ring.start + index]]);

describe('SampleRing', () => {
  it('drops the oldest when full and stays in one piece over many rounds', () => {
    const ring = new SampleRing(8);
    for (let time = 1; time <= 1000; time += 1) ring.append(time, time * 2);
    expect(contentOf(ring)).toEqual(Array.from({ length: 8 }, (_, index) => [993 + index, (993 + index) * 2]));
  });

  it('puts late samples in their place and takes equal times as corrections', () => {
    const ring = new SampleRing(8);
    for (const [time, value] of [
      [10, 1],
      [30, 3],
      [20, 2],
      [30, 33],
      [5, 0],
    ] as const)
      ring.append(time, value);
    expect(contentOf(ring)).toEqual([
      [5, 0],
      [10, 1],
      [20, 2],
      [30, 33],
    ]);
  });

  it('learns the rate and from it what a gap is', () => {
    const ring = new SampleRing(100);
    for (let index = 0; index < 80; index += 1) ring.append(index * 1000, 1);
    expect(ring.rate).toBeCloseTo(1, 1);
    expect(ring.gapMs).toBeGreaterThan(5_000);
  });

  it('equals a sorted array of the newest, for any order of arrival', () => {
    const samples = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer()), { maxLength: 200 });
    fc.assert(
      fc.property(samples, (arrivals) => {
        const capacity = 100; // More than there are different times: nothing is dropped.
        const ring = new SampleRing(capacity);
        const model = new Map<number, number>();
        for (const [time, value] of arrivals) {
          ring.append(time, value);
          model.set(time, value);
        }
        expect(contentOf(ring)).toEqual([...model].sort(([left], [right]) => left - right));
      }),
    );
  });
});
