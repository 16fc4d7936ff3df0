/**
 * Samples of one device that wait for the next frame: by metric, in columns, bounded. In: live frames as they come; out: one
 * frame for subscribers. When a metric has too many points they are thinned; the oldest metrics go when there are too many.
 */
import type { LiveColumns, TelemetryNew } from '@fieldline/contract';
import type { LiveFrame } from '../dependencies.ts';
import { thin } from './thin.ts';

/** Points of a metric in one frame; ten frames a second make more than a screen has pixels. */
export const FRAME_POINTS_MAX = 100;
/** Points of all metrics in one frame: with many metrics each has fewer, minimum and maximum at least. */
const FRAME_POINTS_TOTAL_MAX = 5_000;
/** Points that are held before they are thinned. */
const HELD_POINTS_MAX = 2_000;
const METRICS_MAX = 500;

export class FrameBuffer {
  readonly organizationId: string;
  readonly deviceId: string;
  /** The number of the frame with which it is to be sent. */
  readonly dueFrame: number;
  readonly #metrics = new Map<string, LiveColumns>();

  constructor(organizationId: string, deviceId: string, dueFrame = 0) {
    this.organizationId = organizationId;
    this.deviceId = deviceId;
    this.dueFrame = dueFrame;
  }

  /** Adds the samples of a frame. */
  add(frame: LiveFrame): void {
    const { metricKeys, metricIndex, sourceTime, value, quality, texts } = frame;
    const touched = metricKeys.map((metricKey) => this.#columns(metricKey));
    for (let row = 0; row < metricIndex.length; row++) {
      const columns = touched[metricIndex[row]!]!;
      columns.timestamps.push(sourceTime[row]! / 1000);
      columns.values.push(texts?.get(row) ?? value[row]!);
      columns.quality.push(quality[row]!);
    }
    this.#bound(metricKeys);
  }

  /** Adds what a subscriber could not be sent. */
  merge({ metrics }: TelemetryNew): void {
    for (const [metricKey, more] of Object.entries(metrics)) {
      const columns = this.#columns(metricKey);
      columns.timestamps.push(...more.timestamps);
      columns.values.push(...more.values);
      columns.quality.push(...more.quality);
    }
    this.#bound(Object.keys(metrics));
  }

  /** Everything that waits, thinned, as one frame; empty afterwards. */
  takeAll(): TelemetryNew {
    const pointsMax = Math.max(2, Math.floor(FRAME_POINTS_TOTAL_MAX / Math.max(1, this.#metrics.size)));
    return this.#take((columns) => thin(columns, Math.min(FRAME_POINTS_MAX, pointsMax)));
  }

  /** The newest sample of each metric as one frame; empty afterwards. */
  takeNewest(): TelemetryNew {
    return this.#take((columns) => {
      const row = newestRow(columns.timestamps);
      const { timestamps, values, quality } = columns;
      return { timestamps: [timestamps[row]!], values: [values[row]!], quality: [quality[row]!] };
    });
  }

  #take(reduce: (columns: LiveColumns) => LiveColumns): TelemetryNew {
    // Without a prototype: a metric may be called __proto__.
    const metrics: Record<string, LiveColumns> = Object.create(null);
    for (const [metricKey, columns] of this.#metrics) {
      if (columns.timestamps.length > 0) metrics[metricKey] = reduce(ascending(columns));
    }
    this.#metrics.clear();
    return { organizationId: this.organizationId, deviceId: this.deviceId, metrics };
  }

  #columns(metricKey: string): LiveColumns {
    let columns = this.#metrics.get(metricKey);
    if (columns === undefined) {
      columns = { timestamps: [], values: [], quality: [] };
      this.#metrics.set(metricKey, columns);
    }
    return columns;
  }

  #bound(metricKeys: readonly string[]): void {
    for (const metricKey of metricKeys) {
      const columns = this.#metrics.get(metricKey)!;
      if (columns.timestamps.length > HELD_POINTS_MAX) {
        this.#metrics.set(metricKey, thin(ascending(columns), FRAME_POINTS_MAX));
      }
    }
    while (this.#metrics.size > METRICS_MAX) this.#metrics.delete(this.#metrics.keys().next().value!);
  }
}

function newestRow(timestamps: readonly number[]): number {
  let newest = 0;
  for (let row = 1; row < timestamps.length; row++) if (timestamps[row]! >= timestamps[newest]!) newest = row;
  return newest;
}

/** The columns in the order of their times; mostly they are that already. */
function ascending(columns: LiveColumns): LiveColumns {
  const { timestamps, values, quality } = columns;
  if (timestamps.every((time, row) => row === 0 || timestamps[row - 1]! <= time)) return columns;
  const rows = timestamps.map((_, row) => row).sort((a, b) => timestamps[a]! - timestamps[b]!);
  return {
    timestamps: rows.map((row) => timestamps[row]!),
    values: rows.map((row) => values[row]!),
    quality: rows.map((row) => quality[row]!),
  };
}
