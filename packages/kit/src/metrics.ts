/**
 * Metrics in Prometheus' terms. Each thread has one registry; the api role merges them for /metrics. Update them per batch,
 * not per sample: a labelled counter costs a hash each time.
 */
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

/** Seconds, from a tenth of a millisecond to ten seconds. */
const DURATION_BUCKETS = [0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Metrics {
  readonly registry = new Registry();

  /** The counter of that name; made at the first call. Names end in _total. */
  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return this.#existing<Counter<L>>(name) ?? new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /** The gauge of that name. `collect` is called at each scrape and sets it. */
  gauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => void,
  ): Gauge<L> {
    return (
      this.#existing<Gauge<L>>(name) ??
      new Gauge({
        name,
        help,
        labelNames,
        registers: [this.registry],
        ...(collect && {
          collect(this: Gauge<L>) {
            collect(this);
          },
        }),
      })
    );
  }

  /** The histogram of that name; buckets are in seconds unless given. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets: number[] = DURATION_BUCKETS,
  ): Histogram<L> {
    return (
      this.#existing<Histogram<L>>(name) ??
      new Histogram({ name, help, labelNames, buckets, registers: [this.registry] })
    );
  }

  /** All values as plain data, to be merged with those of other threads. */
  snapshot(): Promise<object[]> {
    return this.registry.getMetricsAsJSON() as Promise<object[]>;
  }

  #existing<T>(name: string): T | undefined {
    return this.registry.getSingleMetric(name) as T | undefined;
  }
}

/** Snapshots of several threads as one Prometheus text page. Counters and histograms are added up. */
export async function renderMetrics(snapshots: readonly object[][]): Promise<string> {
  type Json = Parameters<typeof AggregatorRegistry.aggregate>[0];
  return AggregatorRegistry.aggregate(snapshots as unknown as Json).metrics();
}
