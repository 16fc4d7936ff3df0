/**
 * One read batch through all stages but the write to the store. Here is what waits for others: devices and series that have
 * to be registered, dead letters that have to be durable. Promises that after it every record is either in the builder,
 * or a durable dead letter, or (in part) both.
 */
import { Backoff, type ErrorCode, isFieldlineError, messageOf, sleep } from '@fieldline/kit';
import type { LoggedBatch, SeriesDefinition, SeriesRequest } from '@fieldline/model';
import { deadLetterBatch } from './dead-letters/dead-letter-batch.ts';
import type { LiveFanOut } from './live.ts';
import type { PipelineOptions, PipelineSettings } from './options.ts';
import type { PipelineMetrics } from './pipeline-metrics.ts';
import type { DeviceState } from './series-state.ts';
import { decode } from './stages/decode.ts';
import { normalise } from './stages/normalise.ts';
import { type ResolveState, type Route, requestsFor, resolve, resolveMissing } from './stages/resolve.ts';
import { noteLastSeen, type SampleBatchBuilder } from './stages/write.ts';
import { Work } from './work.ts';

const REQUESTS_PER_CALL_MAX = 10_000;

export interface BatchContext {
  readonly options: PipelineOptions;
  readonly settings: PipelineSettings;
  readonly state: ResolveState;
  readonly live: LiveFanOut;
  readonly metrics: PipelineMetrics;
  /** Devices heard of that were not yet told of. */
  readonly heard: DeviceState[];
  readonly signal: AbortSignal;
}

export class BatchProcessor {
  readonly #context: BatchContext;
  readonly #work = new Work();

  constructor(context: BatchContext) {
    this.#context = context;
  }

  /** Takes the batch through the stages; accepted samples are added to the builder. Rejects only when it is stopped, or on a bug. */
  async process(batch: LoggedBatch, into: SampleBatchBuilder): Promise<void> {
    const { settings, live, metrics, options, heard } = this.#context;
    const work = this.#work;
    work.begin(batch);
    work.routes = await this.#routes(batch);
    this.#timed('decode', () => decode(work, settings.decodeLimits));
    const missing = this.#timed('resolve', () => resolve(work));
    if (missing.length > 0) await this.#register(missing);
    this.#timed('normalise', () => normalise(work, settings.futureToleranceMs * 1000));
    const frames = live.framesOf(work);
    if (frames.length > 0) options.onLive?.(frames);
    const letters = deadLetterBatch(work, options.clock.nowMicros());
    if (letters !== null) await this.#untilDone('dead letters', () => options.appendDeadLetters(letters.batch));
    this.#timed('write', () => into.add(work));
    noteLastSeen(work, heard);
    metrics.batch(batch.count, letters?.codes ?? []);
  }

  /** Routes by origin; devices that are to be registered are, first. */
  async #routes(batch: LoggedBatch): Promise<Route[]> {
    const { state, options } = this.#context;
    for (const origin of batch.origins) {
      const { toRegister } = state.routeOf(origin);
      if (toRegister === null) continue;
      const device = await this.#untilDone('registration of a device', () =>
        options.registerDevice(origin.organizationId, toRegister.key, toRegister.gatewayId),
      );
      // The change also comes with the directory's feed, but the records wait for it now.
      options.directory.adopt(device);
    }
    return batch.origins.map((origin) => state.routeOf(origin));
  }

  async #register(missing: readonly number[]): Promise<void> {
    const { state, options } = this.#context;
    const work = this.#work;
    const requests = requestsFor(work, missing, state);
    const refusals = new Map<string, { code: ErrorCode; message: string }>();
    for (let first = 0; first < requests.length; first += REQUESTS_PER_CALL_MAX) {
      const part = requests.slice(first, first + REQUESTS_PER_CALL_MAX);
      const answer = await this.#untilDone('registration of series', () => options.registerSeries(part));
      const made = answer.series.filter((series): series is SeriesDefinition => series !== null);
      await this.#untilDone('definition of series', () => options.sink.defineSeries(made));
      for (const definition of made) {
        const device = state.deviceState(definition.subjectId);
        if (device !== null) state.putSeries(device, definition);
      }
      for (const { index, code } of answer.refused) refusals.set(nameOf(part[index]!), refusalOf(code, part[index]!));
    }
    resolveMissing(work, missing, refusals);
  }

  /** Tries again, with back-off, what fails for a while; ends with STOPPED when the pipeline stops. */
  async #untilDone<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { options, signal } = this.#context;
    const backoff = new Backoff({ initialMs: 50, maximumMs: 5000 });
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted || isFieldlineError(error, 'STOPPED')) throw error;
        options.logger.warn({ error: messageOf(error), attempt: backoff.attempts + 1 }, `${what} failed; tried again`);
        await sleep(backoff.nextMs(), signal);
        if (signal.aborted) throw error;
      }
    }
  }

  #timed<T>(stage: string, work: () => T): T {
    const started = performance.now();
    const result = work();
    this.#context.metrics.stage(stage, performance.now() - started);
    return result;
  }
}

function nameOf(request: SeriesRequest): string {
  return `${request.subjectId}/${request.metricKey}`;
}

function refusalOf(
  code: 'SERIES_LIMIT' | 'DEVICE_UNKNOWN',
  request: SeriesRequest,
): { code: ErrorCode; message: string } {
  const message =
    code === 'SERIES_LIMIT'
      ? `metric "${request.metricKey}" would be one more than this device may have; delete unused metrics or raise pipeline.seriesPerDeviceMax`
      : `the device of metric "${request.metricKey}" was deleted meanwhile`;
  return { code, message };
}
