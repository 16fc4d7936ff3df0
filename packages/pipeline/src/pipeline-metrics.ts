/** Counters and times of the pipeline, updated per batch; the names follow REQUIREMENTS R-89 where they apply. */
import type { Metrics } from '@fieldline/kit';
import type { CircuitBreaker } from './circuit-breaker.ts';

export class PipelineMetrics {
  records = 0;
  samples = 0;
  deadLettersCount = 0;
  samplesRejected = 0;
  readonly #messages;
  readonly #samples;
  readonly #deadLetters;
  readonly #rejected;
  readonly #stage;
  readonly #writeDuration;
  readonly #writeSize;

  constructor(metrics: Metrics, breaker: CircuitBreaker, lagRecords: () => number) {
    this.#messages = metrics.counter('ingestion_messages_total', 'Raw records that the pipeline has taken in');
    this.#samples = metrics.counter('pipeline_samples_total', 'Samples handed to the store');
    this.#deadLetters = metrics.counter('pipeline_dead_letters_total', 'Records that became dead letters', ['reason']);
    this.#rejected = metrics.counter(
      'pipeline_samples_rejected_total',
      'Samples that were refused, listed in dead letters',
    );
    this.#stage = metrics.histogram('pipeline_stage_duration_seconds', 'Time of a batch in a stage', ['stage']);
    this.#writeDuration = metrics.histogram('tsdb_write_duration_seconds', 'Time of a transaction of the store');
    this.#writeSize = metrics.histogram(
      'tsdb_write_batch_size',
      'Samples in a transaction of the store',
      [],
      [1, 10, 100, 1000, 10_000, 50_000, 100_000],
    );
    metrics.gauge('pipeline_lag_records', 'Raw records that are durable and not yet stored', [], (gauge) =>
      gauge.set(lagRecords()),
    );
    metrics.gauge('pipeline_circuit_open', '1 while the store does not take samples', [], (gauge) =>
      gauge.set(breaker.state === 'closed' ? 0 : 1),
    );
  }

  batch(records: number): void {
    this.records += records;
    this.#messages.inc(records);
  }

  deadLetters(codes: readonly string[]): void {
    this.deadLettersCount += codes.length;
    for (const reason of codes) this.#deadLetters.inc({ reason });
  }

  rejected(samples: number): void {
    this.samplesRejected += samples;
    this.#rejected.inc(samples);
  }

  stage(stage: string, milliseconds: number): void {
    this.#stage.observe({ stage }, milliseconds / 1000);
  }

  write(samples: number, milliseconds: number): void {
    this.samples += samples;
    this.#samples.inc(samples);
    this.#writeSize.observe(samples);
    this.#writeDuration.observe(milliseconds / 1000);
  }
}
