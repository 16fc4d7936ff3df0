/** Range answers of the made-up plant, as the contract words them: samples for 'none', buckets for 'auto'. */
import type { SeriesAnswer, SeriesQuestion } from '@fieldline/contract';
import { METRICS, valueAt } from './plant.ts';

const RESOLUTIONS = [
  ['1s', 1_000],
  ['10s', 10_000],
  ['1m', 60_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
] as const;
const SAMPLE_SPACING_MS = 20;
const PROBES = 12;

export function answerQuery(question: SeriesQuestion, now: number): SeriesAnswer {
  const from = toMillis(question.startTime);
  const to = Math.min(question.endTime === undefined ? now : toMillis(question.endTime), now);
  const points = question.points ?? 1000;
  const aggregation =
    question.aggregation === 'auto'
      ? (RESOLUTIONS.find(([, bucketMs]) => (to - from) / bucketMs <= points) ?? RESOLUTIONS[5])[0]
      : 'none';
  const bucketMs = RESOLUTIONS.find(([name]) => name === aggregation)?.[1] ?? 0;
  return {
    startTime: new Date(from).toISOString(),
    endTime: new Date(Math.max(from, to)).toISOString(),
    aggregation,
    series: question.series.map(({ deviceId, metricKey }) => {
      const unit = METRICS.find((metric) => metric.metricKey === metricKey)?.unit ?? '';
      const common = { deviceId, metricKey, unit };
      return bucketMs === 0
        ? { kind: 'samples' as const, ...common, ...samples(metricKey, from, to, points) }
        : { kind: 'buckets' as const, ...common, ...buckets(metricKey, from, to, bucketMs) };
    }),
  };
}

function samples(metricKey: string, from: number, to: number, points: number) {
  const step = Math.max(SAMPLE_SPACING_MS, Math.ceil((to - from) / points / SAMPLE_SPACING_MS) * SAMPLE_SPACING_MS);
  const timestamps: number[] = [];
  for (let time = Math.ceil(from / step) * step; time < to; time += step) timestamps.push(time);
  return {
    timestamps,
    values: timestamps.map((time) => valueAt(metricKey, time)),
    quality: timestamps.map(() => 192),
  };
}

function buckets(metricKey: string, from: number, to: number, bucketMs: number) {
  const timestamps: number[] = [];
  for (let time = Math.floor(from / bucketMs) * bucketMs; time < to; time += bucketMs) {
    if (!isOutage(time)) timestamps.push(time);
  }
  const probes = timestamps.map((start) =>
    Array.from({ length: PROBES }, (_, index) => valueAt(metricKey, start + (index * bucketMs) / PROBES + index * 313)),
  );
  const avg = probes.map((values) => values.reduce((sum, value) => sum + value, 0) / PROBES);
  return {
    timestamps,
    avg,
    min: probes.map((values) => Math.min(...values)),
    max: probes.map((values) => Math.max(...values)),
    stddev: avg.map(() => 0.1),
    count: avg.map(() => Math.round((bucketMs / 1000) * 50)),
    first: probes.map((values) => values[0]!),
    last: probes.map((values) => values.at(-1)!),
    percentGood: avg.map(() => 100),
  };
}

/** Every day from 03:10 to 04:05 UTC the arm is off. */
function isOutage(time: number): boolean {
  const ofDay = time % 86_400_000;
  return ofDay > 11_400_000 && ofDay < 14_700_000;
}

function toMillis(input: string): number {
  return /^\d+$/.test(input) ? Number(input) : Date.parse(input);
}
