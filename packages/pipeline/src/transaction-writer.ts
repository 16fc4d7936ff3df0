/**
 * Writes what was gathered to the store: samples and read position in one transaction. Errors of the store are waited out with
 * back-off (the circuit breaker tells it); a batch that the store does not take although it takes others is cut in
 * halves until the record is found that it refuses, which becomes a dead letter. Assumes one writer for a partition;
 * when another one has taken it, WRITER_FENCED comes out.
 */
import { Backoff, FieldlineError, isFieldlineError, messageOf, sleep } from '@fieldline/kit';
import type { Micros, Position } from '@fieldline/model';
import type { CircuitBreaker } from './circuit-breaker.ts';
import { deadLetterBatch } from './dead-letters/dead-letter-batch.ts';
import type { BatchContext } from './process-batch.ts';
import type { SampleBatchBuilder } from './sample-batch-builder.ts';
import { isRefusal, untilDone } from './until-done.ts';
import { Work } from './work.ts';

/** Failures after which it is asked whether it is the batch that is bad. */
const ATTEMPTS_BEFORE_ISOLATION = 4;
/**
 * Records in a row that an error without a meaning may cost before it is taken as the store's trouble after all. Records that
 * the store refuses with a reason have no such limit.
 */
const BURIED_IN_A_ROW_MAX = 100;

/** Rows of one transaction, and the position behind their last record. */
interface Slice {
  readonly from: number;
  readonly to: number;
  readonly next: Position;
}

export class TransactionWriter {
  readonly partition: number;
  /** The next record that the store has not yet; everything before it has been dealt with. */
  stored: Position = 0;
  lastStoredTime: Micros | null = null;
  readonly #context: BatchContext;
  readonly #breaker: CircuitBreaker;
  #epoch = 0;
  /** A probe's answer was lost: the store may know a higher epoch of ours. */
  #epochUnsure = false;
  #buriedInARow = 0;

  constructor(partition: number, context: BatchContext, breaker: CircuitBreaker) {
    this.partition = partition;
    this.#context = context;
    this.#breaker = breaker;
  }

  /** Takes the partition over; the position from which the store wants more. */
  async acquire(): Promise<Position> {
    const { source, sink } = this.#context.options;
    const { epoch, next } = await sink.acquire(source.topic, this.partition);
    this.#epoch = epoch;
    this.#epochUnsure = false;
    return next;
  }

  /** Resolves when everything gathered is stored (or, record by record, a dead letter) up to `next`. */
  async write(builder: SampleBatchBuilder, next: Position): Promise<void> {
    await this.#store(builder, { from: 0, to: builder.count, next });
  }

  async #store(builder: SampleBatchBuilder, slice: Slice): Promise<void> {
    const backoff = new Backoff({ initialMs: 50, maximumMs: 5000 });
    for (;;) {
      try {
        await this.#append(builder, slice);
        return;
      } catch (error) {
        // An earlier attempt was committed although its answer was lost.
        if (isFieldlineError(error, 'CONFLICT') && backoff.attempts > 0) return this.#committed(slice, 0);
        this.#throwIfFinal(error);
        const suspect = isRefusal(error) || backoff.attempts + 1 >= ATTEMPTS_BEFORE_ISOLATION;
        if (suspect && slice.to > slice.from && (await this.#storeTakesOthers(error))) {
          return this.#isolate(builder, slice, error);
        }
        await this.#wait(backoff, slice, error);
      }
    }
  }

  /** Cuts the batch between records; the half that is refused again is cut further. */
  async #isolate(builder: SampleBatchBuilder, { from, to, next }: Slice, error: unknown): Promise<void> {
    const middle = builder.middleOf(from, to);
    if (middle === to) {
      const slice = { from, to, next };
      return isRefusal(error) ? this.#bury(builder, slice, error) : this.#judge(builder, slice);
    }
    const halves = [
      { from, to: middle, next: builder.positionOf(middle) },
      { from: middle, to, next },
    ];
    for (const half of halves) {
      try {
        await this.#append(builder, half);
      } catch (halfError) {
        this.#throwIfFinal(halfError);
        // It may be the store again: a single record is judged only after the store has said that it takes others.
        if (await this.#storeTakesOthers(halfError)) await this.#isolate(builder, half, halfError);
        else await this.#store(builder, half);
      }
    }
  }

  /** A single record has a second chance where the store has not said what is wrong with it. */
  async #judge(builder: SampleBatchBuilder, slice: Slice): Promise<void> {
    try {
      await this.#append(builder, slice);
    } catch (lastError) {
      this.#throwIfFinal(lastError);
      if (await this.#storeTakesOthers(lastError)) await this.#bury(builder, slice, lastError);
      else await this.#store(builder, slice);
    }
  }

  /** The one record that the store refuses: a durable dead letter, then the position goes on without its samples. */
  async #bury(builder: SampleBatchBuilder, slice: Slice, error: unknown): Promise<void> {
    const { options, metrics } = this.#context;
    const position = builder.positionOf(slice.from);
    const { partition } = this;
    options.logger.error({ partition, position, error: messageOf(error) }, 'the store refuses a record: dead letter');
    await untilDone('dead letters', () => this.#letter(position, messageOf(error)), this.#context, true);
    metrics.deadLetters(['VALUE_NOT_ACCEPTED']);
    metrics.rejected(slice.to - slice.from);
    this.#buriedInARow += isRefusal(error) ? 0 : 1;
    await this.#store(builder, { from: slice.to, to: slice.to, next: slice.next });
  }

  async #letter(position: Position, reason: string): Promise<void> {
    const { options, signal } = this.#context;
    const read = await options.source.read(this.partition, position, { bytesMax: 1, waitMs: 0, signal });
    if (read === null || read.firstPosition !== position) return; // Deleted by retention meanwhile; the error above names it.
    const work = new Work();
    work.begin({ ...read, count: 1 }, []);
    work.failures.push({ recordIndex: 0, code: 'VALUE_NOT_ACCEPTED', message: `the store refuses it: ${reason}` });
    const known = this.#context.knownLetters.get(this.partition) ?? null;
    const letters = deadLetterBatch(work, options.clock.nowMicros(), known);
    if (letters !== null) await options.appendDeadLetters(letters.batch);
  }

  async #append(builder: SampleBatchBuilder, { from, to, next }: Slice): Promise<void> {
    const { options } = this.#context;
    const started = options.clock.monotonicMs();
    await options.sink.append(builder.view(from, to), {
      topic: options.source.topic,
      partition: this.partition,
      epoch: this.#epoch,
      next,
    });
    if (to > from) this.#buriedInARow = 0;
    this.#committed({ from, to, next }, options.clock.monotonicMs() - started);
  }

  #committed({ from, to, next }: Slice, durationMs: number): void {
    this.#context.metrics.write(to - from, durationMs);
    this.stored = next;
    this.lastStoredTime = this.#context.options.clock.nowMicros();
    this.#breaker.succeeded(this.partition);
  }

  /**
   * Whether the store does its work, though not for this batch: taking the own partition over again writes a row. Where the
   * error itself says that it is the disk, the load or damage, it is not asked.
   */
  async #storeTakesOthers(error: unknown): Promise<boolean> {
    if (isRefusal(error)) return true;
    if (this.#buriedInARow >= BURIED_IN_A_ROW_MAX) return false;
    if ((['DISK_FULL', 'OVERLOADED', 'STORE_DAMAGED'] as const).some((code) => isFieldlineError(error, code)))
      return false;
    const { source, sink } = this.#context.options;
    try {
      const { epoch } = await sink.acquire(source.topic, this.partition);
      if (epoch !== this.#epoch + 1) {
        throw new FieldlineError(
          'WRITER_FENCED',
          `${source.topic}/${this.partition}: another writer took it in between; only one pipeline may run`,
        );
      }
      this.#epoch = epoch;
      return true;
    } catch (probeError) {
      this.#throwIfFinal(probeError);
      this.#epochUnsure = true;
      return false;
    }
  }

  async #wait(backoff: Backoff, { from, to }: Slice, error: unknown): Promise<void> {
    const { options, signal } = this.#context;
    this.#breaker.failed(this.partition, messageOf(error), options.clock.nowMicros());
    options.logger.warn(
      { partition: this.partition, samples: to - from, attempt: backoff.attempts + 1, error: messageOf(error) },
      'samples not yet stored; tried again (the log keeps everything)',
    );
    await sleep(backoff.nextMs(), signal);
    if (signal.aborted) throw error;
    this.#breaker.probing();
  }

  #throwIfFinal(error: unknown): void {
    if (this.#epochUnsure && isFieldlineError(error, 'WRITER_FENCED')) {
      throw new FieldlineError(
        'UNAVAILABLE',
        'the store may have been fenced by a probe of ours; taking it over again',
      );
    }
    const isFinal = ['WRITER_FENCED', 'STOPPED', 'CONFLICT'].some(
      (code) => isFieldlineError(error) && error.code === code,
    );
    if (isFinal || this.#context.signal.aborted) throw error;
  }
}
