/** Readings from patterns: all metrics of a device at the same moments, at a fixed interval. */
import type { Micros } from '@fieldline/model';
import { createSource, type Pattern, type Source } from './patterns.ts';
import { createRandom } from './random.ts';
import type { Reading, ReadingSource } from './reading.ts';

/** Readings at multiples of the interval, so that devices and restarts agree on the moments. */
export function patternReadings(
  metrics: Readonly<Record<string, Pattern>>,
  ratePerSecond: number,
  seed: string,
): ReadingSource {
  const random = createRandom(seed);
  const sources = Object.entries(metrics).map(([metric, pattern]): [string, Source] => [
    metric,
    createSource(pattern, `${seed}/${metric}`, random),
  ]);
  const intervalMicros = Math.round(1e6 / ratePerSecond);
  const readingAt = (sourceTime: Micros): Reading => ({
    sourceTime,
    values: Object.fromEntries(sources.map(([metric, source]) => [metric, source(sourceTime / 1000)])),
  });
  return {
    units: Object.fromEntries(Object.entries(metrics).flatMap(([metric, { unit }]) => (unit ? [[metric, unit]] : []))),
    take(after, until, max) {
      const found: Reading[] = [];
      let next = (Math.floor(after / intervalMicros) + 1) * intervalMicros;
      for (; next <= until && found.length < max; next += intervalMicros) found.push(readingAt(next));
      return found;
    },
    *history(from, until, stepMicros) {
      const step = Math.max(stepMicros, intervalMicros);
      for (let at = Math.ceil(from / step) * step; at <= until; at += step) yield readingAt(at);
    },
  };
}
