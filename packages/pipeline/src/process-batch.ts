/**
 * A slice of a read batch through all stages but the write to the store. Here is what waits for others: devices and series that have
 * to be registered, dead letters that have to be durable. Promises that after it every record is either in the builder,
 * or a durable dead letter, or (in part) both.
 */
import { type FieldlineError, isFieldlineError } from '@fieldline/kit';
import type { Origin, SeriesDefinition, SeriesRequest } from '@fieldline/model';
import { deadLetterBatch } from './dead-letters/dead-letter-batch.ts';
import type { KnownLetters } from './dead-letters/known-letters.ts';
import type { LiveFanOut } from './live.ts';
import type { PipelineOptions, PipelineSettings } from './options.ts';
import type { PipelineMetrics } from './pipeline-metrics.ts';
import type { Route, Routes } from './routes.ts';
import type { SampleBatchBuilder } from './sample-batch-builder.ts';
import type { DeviceState } from './series-state.ts';
import { assignTimes } from './stages/assign-times.ts';
import { decode } from './stages/decode.ts';
import { normalise } from './stages/normalise.ts';
import { limitRefusal, removedRefusal, requestName, requestsFor, resolve, resolveMissing } from './stages/resolve.ts';
import { noteLastSeen, write } from './stages/write.ts';
import { type Patience, untilDone } from './until-done.ts';
import { type NumberedBatch, type Refusal, type SelectedBatch, Work } from './work.ts';

const REQUESTS_PER_CALL_MAX = 10_000;
/** Devices that are registered at the same time. */
const REGISTRATIONS_MAX = 32;
/** How long a device that has reached its limit of series is not asked about again. */
const FULL_FOR_MS = 10_000;

export interface BatchContext extends Patience {
  readonly options: PipelineOptions;
  readonly settings: PipelineSettings;
  readonly routes: Routes;
  readonly live: LiveFanOut;
  readonly metrics: PipelineMetrics;
  /** Devices heard of that were not yet told of. */
  readonly heard: DeviceState[];
  /** By partition: letters that are there already of records that are read again. */
  readonly knownLetters: Map<number, KnownLetters>;
  /** Told what was refused, instead of dead letters: for records that have been through once. */
  readonly onRefused?: (work: Work) => void;
}

export class BatchProcessor {
  readonly #context: BatchContext;
  readonly #work = new Work();

  constructor(context: BatchContext) {
    this.#context = context;
  }

  /**
   * Takes a slice of the batch, from its record `from` on, through the stages; accepted samples are added to the builder. The
   * index behind its last record. Rejects only when it is stopped, or on a bug.
   */
  async process(batch: NumberedBatch, from: number, into: SampleBatchBuilder): Promise<number> {
    const { settings, live, metrics, options, heard } = this.#context;
    const work = this.#work;
    work.begin(batch, await this.#routes(batch), from, batch.seconds);
    this.#timed('decode', () => decode(work, settings.decodeLimits));
    this.#tellBugs();
    const missing = this.#timed('resolve', () => resolve(work));
    if (missing.length > 0) await this.#register(missing);
    assignTimes(work);
    this.#timed('normalise', () => normalise(work, settings.futureToleranceMs * 1000));
    const frames = live.framesOf(work);
    if (frames.length > 0) options.onLive?.(frames);
    await this.#refuse();
    this.#timed('write', () => write(work, into));
    noteLastSeen(work, heard);
    metrics.batch(work.to - from);
    return work.to;
  }

  /**
   * Takes a slice of records that have been dealt with before through the stages that remember something: nothing is written,
   * registered, counted or told. The index behind its last record.
   */
  recall(batch: NumberedBatch, from: number): number {
    const { settings } = this.#context;
    const work = this.#work;
    work.begin(batch, this.#knownRoutes(batch, new Map()), from, batch.seconds);
    decode(work, settings.decodeLimits);
    resolve(work);
    assignTimes(work);
    return work.to;
  }

  /** Resolves when what was refused is a durable dead letter, or told. */
  async #refuse(): Promise<void> {
    const { options, metrics, onRefused } = this.#context;
    if (onRefused !== undefined) return onRefused(this.#work);
    const known = this.#context.knownLetters.get(this.#work.batch.partition) ?? null;
    const letters = deadLetterBatch(this.#work, options.clock.nowMicros(), known);
    if (letters === null) return;
    await untilDone('dead letters', () => options.appendDeadLetters(letters.batch), this.#context, true);
    metrics.deadLetters(letters.codes);
    metrics.rejected(this.#work.rejections.length);
  }

  /** A codec that throws what it may not throw: its payload is kept as a dead letter, and somebody has to look at the codec. */
  #tellBugs(): void {
    const { batch, failures } = this.#work;
    for (const { recordIndex, code, message } of failures) {
      if (code !== 'INTERNAL') continue;
      const { partition } = batch;
      this.#context.options.logger.error({ partition, position: this.#work.positionOf(recordIndex), code }, message);
    }
  }

  /** Routes by origin; devices that are to be registered are, first. */
  async #routes(batch: SelectedBatch): Promise<Route[]> {
    const { routes } = this.#context;
    const refused = new Map<Origin, Refusal>();
    const unknown = batch.origins.filter((origin) => routes.routeOf(origin).toRegister !== null);
    for (let first = 0; first < unknown.length; first += REGISTRATIONS_MAX) {
      await Promise.all(
        unknown.slice(first, first + REGISTRATIONS_MAX).map((origin) => this.#registerDevice(origin, refused)),
      );
    }
    return this.#knownRoutes(batch, refused);
  }

  #knownRoutes(batch: SelectedBatch, refused: ReadonlyMap<Origin, Refusal>): Route[] {
    const { routes } = this.#context;
    return batch.origins.map((origin) => {
      const route = routes.routeOf(origin);
      if (route.device !== null || route.failure !== null) return route;
      const failure = refused.get(origin) ?? removedRefusal(origin.deviceId);
      return { ...route, failure };
    });
  }

  async #registerDevice(origin: Origin, refused: Map<Origin, Refusal>): Promise<void> {
    const { routes, options } = this.#context;
    const { toRegister } = routes.routeOf(origin);
    if (toRegister === null) return;
    const { key, gatewayId } = toRegister;
    try {
      const device = await untilDone(
        'registration of a device',
        () => options.registerDevice(origin.organizationId, key, gatewayId),
        this.#context,
      );
      // The change also comes with the directory's feed, but the records wait for it now.
      routes.adopt(device);
    } catch (error) {
      this.#throwIfStopped(error);
      const message = `device "${key}" cannot be registered: ${(error as FieldlineError).message}`;
      refused.set(origin, { code: 'DEVICE_UNKNOWN', message });
    }
  }

  async #register(missing: readonly number[]): Promise<void> {
    const { options } = this.#context;
    const requests = requestsFor(this.#work, missing, options.clock.monotonicMs());
    const refusals = new Map<string, Refusal>();
    for (let first = 0; first < requests.length; first += REQUESTS_PER_CALL_MAX) {
      await this.#registerPart(requests.slice(first, first + REQUESTS_PER_CALL_MAX), refusals);
    }
    resolveMissing(this.#work, missing, refusals);
  }

  /** Registers in one call. A call that is refused as a whole is halved until the request is found that is to blame. */
  async #registerPart(requests: readonly SeriesRequest[], refusals: Map<string, Refusal>): Promise<void> {
    const { options } = this.#context;
    try {
      const answer = await untilDone('registration of series', () => options.registerSeries(requests), this.#context);
      await this.#takeSeries(answer.series.filter((series) => series !== null));
      for (const { index, code } of answer.refused) this.#noteRefusal(requests[index]!, code, refusals);
    } catch (error) {
      this.#throwIfStopped(error);
      if (requests.length > 1) {
        const middle = Math.ceil(requests.length / 2);
        await this.#registerPart(requests.slice(0, middle), refusals);
        await this.#registerPart(requests.slice(middle), refusals);
        return;
      }
      const { subjectId, metricKey } = requests[0]!;
      const message = `metric "${metricKey}" cannot be registered: ${(error as FieldlineError).message}`;
      refusals.set(requestName(subjectId, metricKey), { code: 'METRIC_KEY_INVALID', message });
    }
  }

  async #takeSeries(made: readonly SeriesDefinition[]): Promise<void> {
    const { routes, options } = this.#context;
    await untilDone('definition of series', () => options.sink.defineSeries(made), this.#context, true);
    for (const definition of made) {
      const device = routes.deviceState(definition.subjectId);
      if (device !== null) routes.putSeries(device, definition);
    }
  }

  #noteRefusal(
    { subjectId, metricKey }: SeriesRequest,
    code: 'SERIES_LIMIT' | 'DEVICE_UNKNOWN',
    refusals: Map<string, Refusal>,
  ): void {
    const { routes, options } = this.#context;
    const device = routes.deviceState(subjectId);
    if (code === 'SERIES_LIMIT' && device !== null) device.fullUntilMs = options.clock.monotonicMs() + FULL_FOR_MS;
    const refusal = code === 'SERIES_LIMIT' ? limitRefusal(metricKey) : removedRefusal(metricKey);
    refusals.set(requestName(subjectId, metricKey), refusal);
  }

  #throwIfStopped(error: unknown): void {
    if (this.#context.signal.aborted || isFieldlineError(error, 'STOPPED')) throw error;
  }

  #timed<T>(stage: string, work: () => T): T {
    const { clock } = this.#context.options;
    const started = clock.monotonicMs();
    const result = work();
    this.#context.metrics.stage(stage, clock.monotonicMs() - started);
    return result;
  }
}
