/** Latest values: what the store knew, overlaid by what came live. Newer source time wins; equal times are corrections. */
import type { TelemetryNew } from '@fieldline/contract';
import type { Answer } from '@fieldline/contract/client';

type Latest = Answer<'telemetry', 'latest'>;
export type Quality = 'good' | 'uncertain' | 'bad';

export interface LatestRow {
  readonly metricKey: string;
  readonly value: number | string | null;
  /** Milliseconds since 1970, source time. */
  readonly time: number;
  readonly quality: Quality;
  readonly unit: string;
}

const byName = new Intl.Collator('en', { numeric: true });

/** Rows in natural order of their names. */
export function rowsOf(latest: Latest): LatestRow[] {
  return Object.entries(latest.metrics)
    .map(([metricKey, { value, timestamp, quality, unit }]) => ({
      metricKey,
      value,
      time: Date.parse(timestamp),
      quality,
      unit,
    }))
    .sort((left, right) => byName.compare(left.metricKey, right.metricKey));
}

/** The newest sample of each metric of a frame, put into `newest` where it is not older than what is there. */
export function takeNewest(frame: TelemetryNew, newest: Map<string, Omit<LatestRow, 'metricKey' | 'unit'>>): void {
  for (const [metricKey, columns] of Object.entries(frame.metrics)) {
    const last = columns.timestamps.length - 1;
    if (last < 0) continue;
    const time = columns.timestamps[last]!;
    if (time < (newest.get(metricKey)?.time ?? Number.NEGATIVE_INFINITY)) continue;
    newest.set(metricKey, { value: columns.values[last]!, time, quality: qualityWord(columns.quality[last] ?? 192) });
  }
}

/** Rows with newer live values in their place; metrics that only came live are added at the end. */
export function overlay(
  rows: readonly LatestRow[],
  newest: ReadonlyMap<string, Omit<LatestRow, 'metricKey' | 'unit'>>,
): LatestRow[] {
  const known = new Set(rows.map((row) => row.metricKey));
  const merged = rows.map((row) => {
    const fresh = newest.get(row.metricKey);
    return fresh === undefined || fresh.time < row.time ? row : { ...row, ...fresh };
  });
  for (const [metricKey, fresh] of newest) if (!known.has(metricKey)) merged.push({ metricKey, unit: '', ...fresh });
  return merged;
}

/** The word for an OPC quality byte: its upper two bits say it. */
export function qualityWord(code: number): Quality {
  const status = code & 0b1100_0000;
  if (status === 192) return 'good';
  return status === 64 ? 'uncertain' : 'bad';
}
