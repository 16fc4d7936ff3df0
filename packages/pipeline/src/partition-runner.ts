/**
 * Reads one partition of the raw log, takes it through the stages and hands it to the store: a transaction every
 * transactionIntervalMs, or sooner when enough has gathered. While a transaction is under way the next batch is read and
 * decoded; there are never more than two batches in memory.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Backoff, isFieldlineError, messageOf, sleep } from '@fieldline/kit';
import type { LoggedBatch, Position } from '@fieldline/model';
import { SecondCounter } from './assigned-times.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { KnownLetters } from './dead-letters/known-letters.ts';
import { type BatchContext, BatchProcessor } from './process-batch.ts';
import { SampleBatchBuilder } from './sample-batch-builder.ts';
import { TransactionWriter } from './transaction-writer.ts';
import { recallAll, warmUp } from './warm-up.ts';

const IDLE_WAIT_MS = 1000;

export class PartitionRunner {
  readonly partition: number;
  readonly writer: TransactionWriter;
  /** Why this partition is read no more; null while it is. */
  failure: string | null = null;
  readonly #context: BatchContext;
  readonly #processor: BatchProcessor;
  readonly #seconds = new SecondCounter();
  #filling = new SampleBatchBuilder();
  #spare = new SampleBatchBuilder();
  #writing: Promise<void> = Promise.resolve();
  #writeFailed = new AbortController();
  /** What is before it has been handed over. */
  #handedOver: Position = 0;

  constructor(partition: number, context: BatchContext, breaker: CircuitBreaker) {
    this.partition = partition;
    this.#context = context;
    this.#processor = new BatchProcessor(context);
    this.writer = new TransactionWriter(partition, context, breaker);
  }

  /** Runs until the signal aborts or another writer has taken the partition. Does not reject. */
  async run(): Promise<void> {
    const { options, signal, troubles } = this.#context;
    const { partition } = this;
    const backoff = new Backoff();
    const trouble = `partition ${partition}`;
    while (!signal.aborted) {
      const from = this.writer.stored;
      try {
        await this.#readOn();
      } catch (error) {
        // The builder that is being written may not be filled again before the store has let go of it.
        await this.#writing.catch(() => {}); // Told by whoever waited for it, or by the stop.
        if (signal.aborted) break;
        // Whoever is needed (store, log, catalog) has ended before the pipeline; in a shutdown nobody reads this any more.
        if (isFieldlineError(error, 'STOPPED')) {
          this.failure = `partition ${partition} is not read any more: ${error.message}`;
          break;
        }
        if (isFieldlineError(error, 'WRITER_FENCED')) {
          this.failure = `partition ${partition}: ${error.message}`;
          options.logger.error({ partition, error: error.message }, 'another writer has taken the partition');
          break;
        }
        if (this.writer.stored > from) backoff.reset();
        troubles.set(trouble, messageOf(error));
        options.logger.error(
          { partition, error: messageOf(error) },
          'the pipeline starts again from the stored position',
        );
        await sleep(backoff.nextMs(), signal);
      }
    }
    troubles.delete(trouble);
    await this.#writing.catch(() => {}); // As above.
  }

  async #readOn(): Promise<void> {
    const { options, settings, signal, troubles } = this.#context;
    const { source, clock } = options;
    let next = await this.#firstPosition(await this.writer.acquire());
    this.writer.stored = next;
    this.#handedOver = next;
    await this.#recallLetters(next);
    await this.#warmUp(next);
    this.#filling.reset();
    this.#writing = Promise.resolve();
    this.#writeFailed = new AbortController();
    const readSignal = AbortSignal.any([signal, this.#writeFailed.signal]);
    let gatheredSince: number | null = null;
    while (!readSignal.aborted) {
      const waitMs = gatheredSince === null ? IDLE_WAIT_MS : this.#dueInMs(gatheredSince);
      const batch = await source.read(this.partition, next, {
        bytesMax: settings.readBytesMax,
        waitMs,
        signal: readSignal,
      });
      troubles.delete(`partition ${this.partition}`);
      if (batch !== null && batch.count > 0) {
        gatheredSince ??= clock.monotonicMs();
        this.#forgetLetters(batch.firstPosition);
        const numbered = { ...batch, seconds: this.#seconds.count(batch) };
        for (let from = 0; from < batch.count && !signal.aborted; ) {
          if (from > 0) await nextTurn();
          from = await this.#processor.process(numbered, from, this.#filling);
          next = batch.firstPosition + from;
          if (from < batch.count && this.#filling.count >= settings.samplesPerTransactionMax)
            await this.#handOver(next);
        }
      }
      if (gatheredSince === null) continue;
      const isFull = this.#filling.count >= settings.samplesPerTransactionMax;
      if (!isFull && this.#dueInMs(gatheredSince) > 0) continue;
      await this.#handOver(next);
      gatheredSince = null;
    }
    if (gatheredSince !== null) await this.#handOver(next);
    await this.#writing; // Rejects where the write failed.
  }

  /** What the stages remember of the records before. */
  async #warmUp(next: Position): Promise<void> {
    const { options, settings, signal } = this.#context;
    const { source } = options;
    const { first } = await source.bounds(this.partition);
    const limits = { bytesMax: settings.readBytesMax, waitMs: 0, signal };
    const read = async (from: Position): Promise<LoggedBatch | null> =>
      signal.aborted ? null : source.read(this.partition, from, limits);
    await warmUp({ first, read }, next, this.#seconds, (batch) => recallAll(this.#processor, batch));
  }

  /** Which records have been refused before, when they are read again. */
  async #recallLetters(from: Position): Promise<void> {
    const { options, knownLetters } = this.#context;
    const { deadLetters, source } = options;
    if (deadLetters === undefined) return;
    const { partition } = this;
    const { next: end } = await source.bounds(partition);
    knownLetters.set(partition, await KnownLetters.of(deadLetters, { topic: source.topic, partition, from, end }));
  }

  #forgetLetters(from: Position): void {
    const { knownLetters } = this.#context;
    const known = knownLetters.get(this.partition);
    // What was being written is judged by it until it is stored.
    if (known !== undefined && from >= known.end && this.writer.stored >= known.end)
      knownLetters.delete(this.partition);
  }

  #dueInMs(gatheredSince: number): number {
    const { settings, options } = this.#context;
    return Math.max(0, Math.ceil(settings.transactionIntervalMs - (options.clock.monotonicMs() - gatheredSince)));
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
    if (next === this.#handedOver) return;
    this.#handedOver = next;
    const builder = this.#filling;
    this.#filling = this.#spare;
    this.#filling.reset();
    this.#spare = builder;
    this.#writing = this.writer.write(builder, next);
    const failed = this.#writeFailed;
    this.#writing.catch(() => failed.abort()); // Ends the wait for records; whoever waits for it hears of the error.
  }
}
