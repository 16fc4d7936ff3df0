/**
 * The pipeline: raw records from the log through the stages into the store, with live frames on the way and dead letters for
 * what cannot be read. It holds no data that the log and the store do not hold: after a crash it goes on from the store's
 * position.
 */
import { type Health, messageOf, Service } from '@fieldline/kit';
import type { DirectoryChange, Position } from '@fieldline/model';
import { type BreakerState, CircuitBreaker } from './circuit-breaker.ts';
import { LiveFanOut } from './live.ts';
import type { LiveInterest, PipelineOptions, StoredLatest } from './options.ts';
import { PartitionRunner } from './partition-runner.ts';
import { PipelineMetrics } from './pipeline-metrics.ts';
import { Routes } from './routes.ts';
import type { DeviceState, SeriesState } from './series-state.ts';
import { DEFAULT_PIPELINE_SETTINGS } from './settings.ts';

export interface PipelineStatistics {
  readonly recordsTotal: number;
  /** Stored. */
  readonly samplesTotal: number;
  readonly samplesRejectedTotal: number;
  readonly deadLettersTotal: number;
  readonly lagRecords: number;
  /** Microseconds. */
  readonly lastStoredAt: number | null;
  readonly circuitBreaker: {
    readonly state: BreakerState;
    readonly since: number | null;
    readonly reason: string | null;
  };
}

export interface Pipeline {
  /** Restores newest values and begins to read. */
  start(): Promise<void>;
  /** Stores what has been read and ends. Twice is fine. */
  stop(): Promise<void>;
  health(): Health;
  /** Changes of the directory, in their order; the pipeline's copy is brought up to date here. */
  applyDirectory(changes: readonly DirectoryChange[]): void;
  setLiveInterest(interest: LiveInterest): void;
  storedPositions(): { readonly partition: number; readonly next: Position }[];
  /** Newest sample by source time of each series that has one, from memory (they may not be stored yet); all where none are named. */
  latest(seriesIds?: readonly number[]): StoredLatest[];
  statistics(): Promise<PipelineStatistics>;
}

const LAST_SEEN_INTERVAL_MS = 1000;
const LAG_INTERVAL_MS = 1000;

export function createPipeline(options: PipelineOptions): Pipeline {
  return new RunningPipeline(options);
}

class RunningPipeline implements Pipeline {
  readonly #options: PipelineOptions;
  readonly #service: Service;
  readonly #stopping = new AbortController();
  readonly #routes: Routes;
  readonly #live: LiveFanOut;
  readonly #breaker: CircuitBreaker;
  readonly #metrics: PipelineMetrics;
  readonly #heard: DeviceState[] = [];
  readonly #troubles = new Map<string, string>();
  readonly #runners: PartitionRunner[];
  #running: Promise<unknown> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];
  #lagRecords = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const settings = { ...DEFAULT_PIPELINE_SETTINGS, ...options.settings };
    this.#live = new LiveFanOut(settings.liveSamplesMax);
    this.#routes = new Routes(options.directory, (device) => this.#live.look(device));
    this.#breaker = new CircuitBreaker(settings.breakerFailures);
    this.#metrics = new PipelineMetrics(options.metrics, this.#breaker, () => this.#lagRecords);
    const context = {
      options,
      settings,
      routes: this.#routes,
      troubles: this.#troubles,
      logger: options.logger,
      live: this.#live,
      metrics: this.#metrics,
      heard: this.#heard,
      knownLetters: new Map(),
      signal: this.#stopping.signal,
    };
    this.#runners = options.source.partitions.map(
      (partition) => new PartitionRunner(partition, context, this.#breaker),
    );
    this.#service = new Service('pipeline', {
      start: () => this.#start(settings.liveLatestIntervalMs),
      stop: () => this.#stop(),
      problem: () => this.#problem(),
    });
  }

  start(): Promise<void> {
    return this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  health(): Health {
    return this.#service.health();
  }

  applyDirectory(changes: readonly DirectoryChange[]): void {
    for (const change of changes) this.#options.directory.apply(change);
    this.#routes.directoryChanged(changes);
  }

  setLiveInterest(interest: LiveInterest): void {
    this.#live.setInterest(interest, this.#routes.devices.values());
  }

  storedPositions(): { partition: number; next: Position }[] {
    return this.#runners.map(({ partition, writer }) => ({ partition, next: writer.stored }));
  }

  latest(seriesIds: Iterable<number> = this.#routes.seriesById.keys()): StoredLatest[] {
    return [...seriesIds].flatMap((id) => {
      const series = this.#routes.seriesById.get(id);
      return series === undefined || series.newestTime === Number.NEGATIVE_INFINITY ? [] : latestOf(series);
    });
  }

  async statistics(): Promise<PipelineStatistics> {
    await this.#measureLag();
    const { records, samples, samplesRejected, deadLettersCount } = this.#metrics;
    const { state, since, reason } = this.#breaker;
    const stored = this.#runners.flatMap(({ writer }) => writer.lastStoredTime ?? []);
    return {
      recordsTotal: records,
      samplesTotal: samples,
      samplesRejectedTotal: samplesRejected,
      deadLettersTotal: deadLettersCount,
      lagRecords: this.#lagRecords,
      lastStoredAt: stored.length === 0 ? null : Math.max(...stored),
      circuitBreaker: { state, since, reason },
    };
  }

  async #start(liveLatestIntervalMs: number): Promise<void> {
    await this.#restoreLatest();
    this.#running = Promise.all(this.#runners.map((runner) => runner.run()));
    this.#timers = [
      setInterval(() => {
        const frames = this.#live.latestFrames();
        if (frames.length > 0) this.#options.onLive?.(frames);
      }, liveLatestIntervalMs),
      setInterval(() => this.#tellLastSeen(), LAST_SEEN_INTERVAL_MS),
      setInterval(() => void this.#measureLag(), LAG_INTERVAL_MS),
    ];
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    for (const timer of this.#timers) clearInterval(timer);
    this.#tellLastSeen();
  }

  #problem(): string | null {
    const failure = this.#runners.find((runner) => runner.failure !== null)?.failure;
    if (failure !== undefined && failure !== null) return failure;
    if (this.#breaker.state !== 'closed')
      return `the store takes no samples: ${this.#breaker.reason}; the log keeps everything`;
    const [trouble] = this.#troubles;
    return trouble === undefined ? null : `${trouble[0]}: ${trouble[1]}; tried again, the log keeps everything`;
  }

  async #restoreLatest(): Promise<void> {
    const { directory, sink } = this.#options;
    for (const latest of await sink.latest()) {
      const definition = directory.series(latest.seriesId);
      if (definition === undefined) continue;
      const device = this.#routes.deviceState(definition.subjectId);
      const series = device?.series.get(definition.metricKey);
      if (device === null || series === undefined) continue;
      series.newestTime = latest.sourceTime;
      series.newestReceivedTime = latest.receivedTime;
      series.newestValue = latest.value;
      series.newestQuality = latest.quality;
      series.newestText = latest.text;
      device.lastSeen = Math.max(device.lastSeen, latest.receivedTime);
      if (device.lastSeenTold) this.#heard.push(device);
      device.lastSeenTold = false;
    }
    this.#tellLastSeen();
  }

  #tellLastSeen(): void {
    const devices = this.#heard.splice(0);
    if (devices.length === 0) return;
    for (const device of devices) device.lastSeenTold = true;
    this.#options.onLastSeen?.(
      devices.map(({ device }) => device.id),
      devices.map(({ lastSeen }) => lastSeen),
    );
  }

  /** Keeps the last figure where the log does not answer; the runner, which cannot read it then, tells health. */
  async #measureLag(): Promise<void> {
    try {
      const lags = await Promise.all(
        this.#runners.map(async ({ partition, writer }) => {
          const { next } = await this.#options.source.bounds(partition);
          return Math.max(0, next - writer.stored);
        }),
      );
      this.#lagRecords = lags.reduce((sum, lag) => sum + lag, 0);
    } catch (error) {
      this.#options.logger.debug({ error: messageOf(error) }, 'the lag is not known');
    }
  }
}

function latestOf(series: SeriesState): StoredLatest {
  return {
    seriesId: series.id,
    sourceTime: series.newestTime,
    receivedTime: series.newestReceivedTime,
    value: series.newestValue,
    text: series.newestText,
    quality: series.newestQuality,
  };
}
