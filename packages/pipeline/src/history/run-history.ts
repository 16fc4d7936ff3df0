/**
 * Takes raw records of the past through the live stages. In: the log, a selection, a sink; out: samples in the sink at the
 * versions that they had when they came, and an account of what was not taken in. Promises:
 *
 * - What it writes depends on the log and on the directory alone: two runs into two empty sinks leave the same samples.
 * - A sample that the sink has already, or a later correction of it, stays as it is.
 * - Killed at any moment and run again with the last checkpoint, it leaves the same samples and the same account.
 */
import { isFieldlineError, Metrics } from '@fieldline/kit';
import type { LoggedBatch, Micros, Position } from '@fieldline/model';
import { SecondCounter } from '../assigned-times.ts';
import { CircuitBreaker } from '../circuit-breaker.ts';
import { LiveFanOut } from '../live.ts';
import { PipelineMetrics } from '../pipeline-metrics.ts';
import { type BatchContext, BatchProcessor } from '../process-batch.ts';
import { Routes } from '../routes.ts';
import { SampleBatchBuilder } from '../sample-batch-builder.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../settings.ts';
import { TransactionWriter } from '../transaction-writer.ts';
import { recallAll, recallSpan, warmUp } from '../warm-up.ts';
import type { NumberedBatch } from '../work.ts';
import { Account } from './account.ts';
import { type HistoryCheckpoint, type HistoryOptions, NO_COUNTS, type PartitionSpan } from './history.ts';
import { Pacer } from './pacer.ts';
import { RecordSelector } from './select-records.ts';

const PROGRESS_INTERVAL_MS = 1000;
/** So many records that are left out are read through, so that the stages remember them; further on it warms up anew. */
const LEFT_OUT_RECORDS_MAX = 4096;
/** Clocks that were set back leave earlier times behind later ones; so far behind the end of the range they are looked for. */
const CLOCK_STEP_MICROS = 60_000_000;
/** Small pieces: between two of them others get their turn, and the run can end. */
const READ_BYTES_MAX = 1024 * 1024;
const SAMPLES_PER_TRANSACTION = 10_000;

/** Resolves with the last checkpoint that was told: at the end of the range, or before the place where the signal ended the run. */
export function runHistory(options: HistoryOptions, signal: AbortSignal): Promise<HistoryCheckpoint> {
  return new HistoryRun(options, signal).run();
}

class HistoryRun {
  readonly #options: HistoryOptions;
  readonly #signal: AbortSignal;
  readonly #context: BatchContext;
  readonly #processor: BatchProcessor;
  readonly #selector: RecordSelector;
  readonly #pacer: Pacer;
  readonly #breaker: CircuitBreaker;
  readonly #builder = new SampleBatchBuilder(SAMPLES_PER_TRANSACTION);
  #account: Account;
  #spans: PartitionSpan[];
  #told: HistoryCheckpoint;
  #toldMs: number;
  readonly #seconds = new SecondCounter();
  #writers: TransactionWriter[] = [];
  /** Up to here the stages remember what counts; null = nothing yet. */
  #remembered: Position | null = null;

  constructor(options: HistoryOptions, signal: AbortSignal) {
    const settings = { ...DEFAULT_PIPELINE_SETTINGS, ...options.settings };
    this.#options = options;
    this.#signal = signal;
    this.#breaker = new CircuitBreaker(settings.breakerFailures);
    this.#account = new Account(options.checkpoint?.counts);
    this.#spans = [...(options.checkpoint?.partitions ?? [])];
    this.#selector = new RecordSelector(options.selection, options.directory);
    this.#pacer = new Pacer(options.pace, options.clock, signal);
    this.#told = options.checkpoint ?? this.#checkpoint();
    this.#toldMs = options.clock.monotonicMs();
    const metrics = new Metrics();
    this.#context = {
      options: {
        ...options,
        source: {
          topic: options.name,
          partitions: options.source.partitions,
          read: (partition, from, { bytesMax }) =>
            options.source.read(partition, from, { bytesMax, recordsMax: 1, signal }),
          bounds: (partition) => options.source.bounds(partition),
        },
        // Only what the sink refuses comes here; what the stages refuse goes to onRefused.
        appendDeadLetters: async (batch) => this.#account.refusedBySink(batch),
        metrics,
      },
      settings,
      routes: new Routes(options.directory, undefined, true),
      troubles: new Map(),
      logger: options.logger,
      live: new LiveFanOut(0),
      metrics: new PipelineMetrics(metrics, this.#breaker, () => 0),
      heard: [],
      knownLetters: new Map(),
      signal,
      onRefused: (work) => this.#account.refused(work),
    };
    this.#processor = new BatchProcessor(this.#context);
  }

  async run(): Promise<HistoryCheckpoint> {
    try {
      await this.#runPartitions();
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
    return this.#told;
  }

  async #runPartitions(): Promise<void> {
    if (this.#spans.length === 0) await this.#lookUpSpans();
    await this.#acquire();
    await this.#tell();
    for (const [index, span] of this.#spans.entries()) {
      if (span.next < span.to && !this.#signal.aborted) await this.#runPartition(index);
    }
    if (!this.#signal.aborted) await this.#tell();
  }

  /** A sink that is behind the checkpoint has lost what it had (a sandbox that was deleted): it is filled from the start. */
  async #acquire(): Promise<void> {
    let isBehind = false;
    for (const { partition, from, next } of this.#spans) {
      const writer = new TransactionWriter(partition, this.#context, this.#breaker);
      writer.stored = await writer.acquire();
      this.#writers.push(writer);
      isBehind ||= next > from && writer.stored < next;
    }
    if (!isBehind) return;
    this.#options.logger.warn(
      { run: this.#options.name },
      'what a run over history had written is gone; it begins again',
    );
    this.#account = new Account({ ...NO_COUNTS, oldestReceivedTime: this.#account.counts().oldestReceivedTime });
    this.#spans = this.#spans.map((span) => ({ ...span, next: span.from }));
  }

  /** Decided once: a range that ends now ends there, however long the run takes. */
  async #lookUpSpans(): Promise<void> {
    const { source, selection } = this.#options;
    for (const partition of source.partitions) {
      const { first, next } = await source.bounds(partition);
      const from = Math.max(first, await source.positionAtTime(partition, selection.from));
      const end = Math.min(next, await source.positionAtTime(partition, selection.to + CLOCK_STEP_MICROS));
      this.#spans.push({ partition, from, to: Math.max(from, end), next: from });
      if (from === first && first > 0) this.#account.beginsAt(await this.#receivedAt(partition, first), selection.from);
    }
  }

  async #runPartition(index: number): Promise<void> {
    const { partition, next, to } = this.#spans[index]!;
    this.#remembered = null;
    for (let at = next; at < to && !this.#signal.aborted; ) {
      const batch = await this.#read(partition, at, to, (records) => {
        this.#account.deleted(records);
        at += records;
      });
      if (this.#signal.aborted) return;
      // Nothing readable up to the end, or up to what was read: damaged, and told as such.
      this.#account.missing(Math.max(0, (batch === null ? to : batch.firstPosition) - at));
      if (batch !== null) await this.#take(batch, index);
      at = batch === null ? to : batch.firstPosition + batch.count;
      if (!this.#signal.aborted) await this.#handOver(index, Math.min(at, to));
    }
  }

  /** A read batch through the stages, in pieces that are due. */
  async #take(batch: LoggedBatch, index: number): Promise<void> {
    for (let start = 0; start < batch.count && !this.#signal.aborted; ) {
      const due = await this.#pacer.dueUpTo(batch.receivedTime[start]!);
      const end = endOfDue(batch, start, due);
      const selected = await this.#process(batch, start, end);
      if (this.#signal.aborted) return;
      this.#account.read(end - start, selected);
      start = end;
      const isLast = start === batch.count;
      const isPaced = this.#options.pace.speed !== null;
      if (!isLast && (isPaced || this.#builder.count >= SAMPLES_PER_TRANSACTION)) {
        await this.#handOver(index, batch.firstPosition + start);
      }
    }
  }

  /** The selected ones of the records [start, end) through the stages; how many they are. */
  async #process(batch: LoggedBatch, start: number, end: number): Promise<number> {
    let count = 0;
    for (let at = start; at < end && !this.#signal.aborted; at++) {
      if (!this.#selector.isInTime(batch, at)) continue;
      const first = at;
      while (at < end && this.#selector.isInTime(batch, at)) at += 1;
      await this.#remember(batch.partition, batch.firstPosition + first);
      const seconds = this.#seconds.count(batch, first, at);
      const selected = this.#selector.select({ ...batch, seconds }, first, at);
      for (let from = 0; from < selected.count && !this.#signal.aborted; ) {
        from = await this.#processor.process(selected, from, this.#builder);
      }
      this.#remembered = batch.firstPosition + at;
      count += selected.count;
    }
    return count;
  }

  /** What the stages must know of the records before `position`, selected or not. */
  async #remember(partition: number, position: Position): Promise<void> {
    const from = this.#remembered;
    if (from === position) return;
    const { first } = await this.#options.source.bounds(partition);
    const log = { first, read: (at: Position, end: Position) => this.#read(partition, at, end) };
    const recall = (batch: NumberedBatch): Promise<void> =>
      recallAll(this.#processor, this.#selector.select(batch, 0, batch.count));
    if (from !== null && from < position && position - from <= LEFT_OUT_RECORDS_MAX)
      await recallSpan(log, from, position, this.#seconds, recall);
    else await warmUp(log, position, this.#seconds, recall);
  }

  /** Stores what has gathered; then everything before `next` has been dealt with. */
  async #handOver(index: number, next: Position): Promise<void> {
    const writer = this.#writers[index]!;
    // What an earlier attempt has stored behind its last checkpoint is there already.
    if (this.#builder.count > 0 && next > writer.stored) await writer.write(this.#builder, next);
    this.#account.stored(this.#builder.count);
    this.#builder.reset();
    this.#spans[index] = { ...this.#spans[index]!, next };
    if (this.#options.clock.monotonicMs() - this.#toldMs >= PROGRESS_INTERVAL_MS) await this.#tell();
    await this.#pacer.rest();
  }

  /** The next records before `end`; where retention was faster, those behind. */
  async #read(
    partition: number,
    from: Position,
    end: Position,
    onDeleted: (records: number) => void = () => {},
  ): Promise<LoggedBatch | null> {
    const { source } = this.#options;
    for (let at = from; at < end && !this.#signal.aborted; ) {
      try {
        const limits = { bytesMax: READ_BYTES_MAX, recordsMax: end - at, signal: this.#signal };
        const batch = await source.read(partition, at, limits);
        return batch === null || batch.firstPosition >= end ? null : cutAt(batch, end);
      } catch (error) {
        if (!isFieldlineError(error, 'LOG_POSITION_GONE')) throw error;
        const { first } = await source.bounds(partition);
        onDeleted(Math.min(first, end) - at);
        at = first;
      }
    }
    return null;
  }

  async #receivedAt(partition: number, position: Position): Promise<Micros | null> {
    const limits = { bytesMax: 1, recordsMax: 1, signal: this.#signal };
    const batch = await this.#options.source.read(partition, position, limits).catch((error: unknown) => {
      if (isFieldlineError(error, 'LOG_POSITION_GONE')) return null;
      throw error;
    });
    return batch?.receivedTime[0] ?? null;
  }

  #checkpoint(): HistoryCheckpoint {
    return { partitions: [...this.#spans], counts: this.#account.counts() };
  }

  /** What a checkpoint says is in the sink, and so is its position: see #acquire. */
  async #tell(): Promise<void> {
    for (const [index, writer] of this.#writers.entries()) {
      const { from, next } = this.#spans[index]!;
      if (next > from && writer.stored < next) await writer.write(this.#builder, next);
    }
    const checkpoint = this.#checkpoint();
    await this.#options.onProgress(checkpoint);
    this.#told = checkpoint;
    this.#toldMs = this.#options.clock.monotonicMs();
  }
}

/** The end of the records from `start` on that were received up to `due`; at least one. */
function endOfDue(batch: LoggedBatch, start: number, due: Micros): number {
  if (due === Number.POSITIVE_INFINITY) return batch.count;
  let end = start + 1;
  while (end < batch.count && batch.receivedTime[end]! <= due) end += 1;
  return end;
}

function cutAt(batch: LoggedBatch, end: Position): LoggedBatch {
  const count = Math.min(batch.count, end - batch.firstPosition);
  return count === batch.count ? batch : { ...batch, count };
}
