/** What the live chart shows: which metrics, how long a window, where its right edge stands. No React. */

export const LIVE_WINDOWS_S = [15, 60, 300, 600] as const;
export type LiveWindowS = (typeof LIVE_WINDOWS_S)[number];
/** Metrics in one chart at once, and at the start. */
export const CHART_METRICS_MAX = 20;
export const CHART_METRICS_DEFAULT = 10;
/** Samples kept a metric: ten minutes at 50 samples/s. When full, the oldest go; the store has them. */
export const LIVE_SAMPLES_MAX = 32_768;

export interface LiveSearch {
  /** Seconds. */
  readonly window?: LiveWindowS;
  /** Metric keys, in their order; absent = the first ones. */
  readonly metrics?: readonly string[];
}

/** Reads the address; what it does not understand is as if it were not there. */
export function readLiveSearch(search: Record<string, unknown>): LiveSearch {
  const window = LIVE_WINDOWS_S.find((seconds) => seconds === Number(search.window));
  const metrics = readMetrics(search.metrics);
  return { ...(window === undefined ? {} : { window }), ...(metrics === undefined ? {} : { metrics }) };
}

/** A list of metric keys from an address. */
export function readMetrics(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const keys = value.filter((key): key is string => typeof key === 'string' && key !== '');
  return [...new Set(keys)].slice(0, CHART_METRICS_MAX);
}

/** The metrics to draw: the chosen ones that exist, or the first few. */
export function chosenMetrics(chosen: readonly string[] | undefined, existing: readonly string[]): readonly string[] {
  if (chosen === undefined) return existing.slice(0, CHART_METRICS_DEFAULT);
  const known = new Set(existing);
  return chosen.filter((key) => known.has(key));
}

/**
 * The right edge of a live chart, in source time. Devices' clocks differ from the browser's, so the distance of the newest
 * sample to the browser's clock is followed: forward at once, backward slowly, so that the chart flows evenly.
 */
export class LiveEdge {
  #aheadMs: number | null = null;
  static readonly FALL_BACK = 0.02;

  /** The newest sample known has this source time; heard at `now`. */
  heard(newestTime: number, now: number): void {
    const ahead = newestTime - now;
    if (this.#aheadMs === null || ahead > this.#aheadMs || ahead < this.#aheadMs - 10_000) this.#aheadMs = ahead;
    else this.#aheadMs += (ahead - this.#aheadMs) * LiveEdge.FALL_BACK;
  }

  at(now: number): number {
    return now + (this.#aheadMs ?? 0);
  }
}
