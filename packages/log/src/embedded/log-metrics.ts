/** What the embedded log tells the operator in numbers. */
import type { Counter, Histogram, Metrics } from '@fieldline/kit';

/** From 1 KiB to 16 MiB. */
const FLUSH_BYTES_BUCKETS = [10, 12, 14, 16, 18, 20, 22, 24].map((power) => 2 ** power);

export class LogMetrics {
  readonly #metrics: Metrics;
  readonly #appendSeconds: Histogram;
  readonly #flushBytes: Histogram;
  readonly #records: Counter<'topic'>;
  readonly #damaged: Counter<'topic'>;
  readonly #byteLengthOf = new Map<string, () => number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#appendSeconds = metrics.histogram('log_append_duration_seconds', 'From append() until it was durable');
    this.#flushBytes = metrics.histogram('log_flush_bytes', 'Bytes written per flush', [], FLUSH_BYTES_BUCKETS);
    this.#records = metrics.counter('log_records_appended_total', 'Records made durable', ['topic']);
    this.#damaged = metrics.counter('log_damage_total', 'Damaged places found on disk', ['topic']);
  }

  appended(seconds: number): void {
    this.#appendSeconds.observe(seconds);
  }

  flushed(topic: string, records: number, byteLength: number): void {
    this.#flushBytes.observe(byteLength);
    this.#records.inc({ topic }, records);
  }

  damaged(topic: string): void {
    this.#damaged.inc({ topic });
  }

  /** Bytes on disk, looked up at each scrape. */
  watchBytes(topic: string, byteLength: () => number): void {
    this.#byteLengthOf.set(topic, byteLength);
    this.#metrics.gauge('log_bytes', 'Bytes on disk', ['topic'], (gauge) => {
      for (const [name, lengthOf] of this.#byteLengthOf) gauge.set({ topic: name }, lengthOf());
    });
  }
}
