/**
 * Reads one partition of the raw log, takes it through the stages and writes it to the store: samples and position in one
 * transaction, every transactionIntervalMs or sooner when enough has gathered. While a transaction is under way the next
 * batch is read and decoded; there are never more than two batches in memory.
 */
import { Backoff, isFieldlineError, messageOf, sleep } from '@fieldline/kit';
import type { Position, ReadPosition } from '@fieldline/model';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { type BatchContext, BatchProcessor } from './process-batch.ts';
import { SampleBatchBuilder } from './stages/write.ts';

const IDLE_WAIT_MS = 1000;

export class PartitionRunner {
  readonly partition: number;
  /** The next record that the store has not yet; everything before it has been dealt with. */
  stored: Position = 0;
  lastStoredAt: number | null = null;
  /** Why this partition is read no more; null while it is. */
  failure: string | null = null;
  readonly #context: BatchContext;
  readonly #breaker: CircuitBreaker;
  readonly #processor: BatchProcessor;
  #epoch = 0;
  #filling = new SampleBatchBuilder();
  #spare = new SampleBatchBuilder();
  #writing: Promise<void> | null = null;

  constructor(partition: number, context: BatchContext, breaker: CircuitBreaker) {
    this.partition = partition;
    this.#context = context;
    this.#breaker = breaker;
    this.#processor = new BatchProcessor(context);
  }

  /** Runs until the signal aborts or another writer has taken the partition. Does not reject. */
  async run(): Promise<void> {
    const { options, signal } = this.#context;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        await this.#readOn();
      } catch (error) {
        if (signal.aborted || isFieldlineError(error, 'STOPPED')) break;
        if (isFieldlineError(error, 'WRITER_FENCED')) {
          this.failure = `partition ${this.partition}: ${error.message}`;
          options.logger.error(
            { partition: this.partition, error: error.message },
            'another writer has taken the partition',
          );
          break;
        }
        options.logger.error(
          { partition: this.partition, error: messageOf(error) },
          'the pipeline starts again from the stored position',
        );
        await sleep(backoff.nextMs(), signal);
      }
    }
    await this.#writing?.catch(() => {}); // Told where it was started.
  }

  async #readOn(): Promise<void> {
    const { options, settings, signal } = this.#context;
    const { source } = options;
    const acquired = await options.sink.acquire(source.topic, this.partition);
    this.#epoch = acquired.epoch;
    let next = await this.#firstPosition(acquired.next);
    this.stored = next;
    this.#filling.reset();
    this.#writing = null;
    let gatheredSince = 0;
    let gathered = false;
    while (!signal.aborted) {
      const dueMs = gathered
        ? Math.max(0, settings.transactionIntervalMs - (performance.now() - gatheredSince))
        : IDLE_WAIT_MS;
      const batch = await source.read(this.partition, next, {
        bytesMax: settings.readBytesMax,
        waitMs: Math.ceil(dueMs),
        signal,
      });
      if (batch !== null && batch.count > 0) {
        if (!gathered) gatheredSince = performance.now();
        gathered = true;
        await this.#processor.process(batch, this.#filling);
        next = batch.firstPosition + batch.count;
      }
      const due = gathered && performance.now() - gatheredSince >= settings.transactionIntervalMs;
      if (gathered && (due || this.#filling.count >= settings.samplesPerTransactionMax)) {
        await this.#handOver(next);
        gathered = false;
      }
    }
    if (gathered) await this.#handOver(next);
    await this.#writing;
  }

  /** Where to go on: at the stored position, or behind what retention has deleted while nobody read. */
  async #firstPosition(stored: Position): Promise<Position> {
    const { source, logger } = this.#context.options;
    const { first } = await source.bounds(this.partition);
    if (stored >= first) return stored;
    if (stored > 0) {
      logger.error(
        { partition: this.partition, stored, first },
        'raw records were deleted by retention before they were stored',
      );
    }
    return first;
  }

  /** Waits for the transaction under way, then begins the next one with what has gathered. */
  async #handOver(next: Position): Promise<void> {
    await this.#writing;
    const builder = this.#filling;
    this.#filling = this.#spare;
    this.#filling.reset();
    this.#spare = builder;
    this.#writing = this.#write(builder, next);
    this.#writing.catch(() => {}); // Whoever waits for it next hears of it.
  }

  async #write(builder: SampleBatchBuilder, next: Position): Promise<void> {
    const { options, metrics, signal } = this.#context;
    const position: ReadPosition = { topic: options.source.topic, partition: this.partition, epoch: this.#epoch, next };
    const backoff = new Backoff({ initialMs: 50, maximumMs: 5000 });
    for (;;) {
      const started = performance.now();
      try {
        await options.sink.append(builder.view(), position);
        this.#breaker.succeeded();
        this.stored = next;
        this.lastStoredAt = options.clock.nowMicros();
        metrics.write(builder.count, performance.now() - started);
        return;
      } catch (error) {
        if (signal.aborted || isFieldlineError(error, 'WRITER_FENCED') || isFieldlineError(error, 'STOPPED'))
          throw error;
        // An earlier attempt was committed although its answer was lost.
        if (isFieldlineError(error, 'CONFLICT') && backoff.attempts > 0) {
          this.stored = next;
          return;
        }
        this.#breaker.failed(messageOf(error), options.clock.nowMicros());
        options.logger.warn(
          { partition: this.partition, samples: builder.count, attempt: backoff.attempts + 1, error: messageOf(error) },
          'samples not yet stored; tried again (the log keeps everything)',
        );
        await sleep(backoff.nextMs(), signal);
        if (signal.aborted) throw error;
        this.#breaker.probing();
      }
    }
  }
}
