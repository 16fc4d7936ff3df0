/** What the pipeline is given from outside. Everything that reads, writes or knows a clock is a function handed over here. */
import type { DecodeLimits } from '@fieldline/codecs';
import type { Clock, Logger, Metrics } from '@fieldline/kit';
import type {
  DirectoryCache,
  DirectoryDevice,
  LoggedBatch,
  Micros,
  Position,
  RawBatch,
  ReadPosition,
  SampleBatch,
  SeriesDefinition,
  SeriesRequest,
} from '@fieldline/model';
import type { DeadLetterSource } from './dead-letters/list-dead-letters.ts';

/** The raw log, as far as the pipeline reads it. */
export interface RawSource {
  readonly topic: string;
  readonly partitions: readonly number[];
  /** The next records from `from` on; null where there are none after waiting `waitMs`. */
  read(
    partition: number,
    from: Position,
    options: { readonly bytesMax: number; readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<LoggedBatch | null>;
  /** First readable and next position of a partition. */
  bounds(partition: number): Promise<{ readonly first: Position; readonly next: Position }>;
}

/** The store, as far as the pipeline writes it. */
export interface SampleSink {
  acquire(topic: string, partition: number): Promise<ReadPosition>;
  append(batch: SampleBatch, position: ReadPosition): Promise<void>;
  defineSeries(series: readonly SeriesDefinition[]): Promise<void>;
  latest(): Promise<readonly StoredLatest[]>;
}

export interface StoredLatest {
  readonly seriesId: number;
  readonly sourceTime: Micros;
  readonly receivedTime: Micros;
  readonly value: number;
  readonly text: string | null;
  readonly quality: number;
}

/** Answer to registerSeries, by the index of the request. */
export interface SeriesRegistration {
  readonly series: readonly (SeriesDefinition | null)[];
  readonly refused: readonly { readonly index: number; readonly code: 'SERIES_LIMIT' | 'DEVICE_UNKNOWN' }[];
}

/** What somebody looks at now. */
export interface LiveInterest {
  /** All samples of these devices. */
  readonly devices: readonly string[];
  /** The newest sample of each metric of the devices of these sites and organisations. */
  readonly sites: readonly string[];
  readonly organizations: readonly string[];
}

/** Samples of one device that were taken in together, in columns. Plain data: goes to another thread as it is. */
export interface LiveFrame {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly metricKeys: readonly string[];
  /** Sample i belongs to metricKeys[metricIndex[i]]. */
  readonly metricIndex: readonly number[];
  readonly sourceTime: readonly Micros[];
  readonly value: readonly number[];
  readonly quality: readonly number[];
  readonly texts: ReadonlyMap<number, string> | null;
  /** Samples that are not in the frame because it would have more than liveSamplesMax. */
  readonly leftOut: number;
}

export interface PipelineSettings {
  /** Longest time that decoded samples wait for their transaction. */
  readonly transactionIntervalMs: number;
  readonly samplesPerTransactionMax: number;
  /** Payload bytes of one read. */
  readonly readBytesMax: number;
  /** A source time further ahead of the received time is refused. */
  readonly futureToleranceMs: number;
  readonly decodeLimits: DecodeLimits;
  /** Failed writes in a row after which the circuit breaker opens. */
  readonly breakerFailures: number;
  /** Samples of one device in one live frame; more are left out, evenly. */
  readonly liveSamplesMax: number;
  /** Time between two frames of the newest values of an organisation's or site's devices. */
  readonly liveLatestIntervalMs: number;
}

export interface PipelineOptions {
  readonly source: RawSource;
  readonly sink: SampleSink;
  /** A snapshot; from then on the pipeline alone changes it, by applyDirectory(). */
  readonly directory: DirectoryCache;
  /** At most 10,000 requests a call. May fail for a while: it is tried again. A refusal (4xx) makes dead letters. */
  registerSeries(requests: readonly SeriesRequest[]): Promise<SeriesRegistration>;
  /** Asked only where the organisation registers devices automatically. A refusal (4xx) makes dead letters. */
  registerDevice(organizationId: string, key: string, gatewayId: string | null): Promise<DirectoryDevice>;
  /** Resolves when the dead letters are durable. */
  appendDeadLetters(batch: RawBatch): Promise<unknown>;
  /** The dead letters that are there: of records that are read again none is written twice. Without it, one may be. */
  readonly deadLetters?: DeadLetterSource;
  onLive?(frames: readonly LiveFrame[]): void;
  /** Devices that were heard of since the last call, about once a second. */
  onLastSeen?(deviceIds: readonly string[], times: readonly Micros[]): void;
  readonly settings?: Partial<PipelineSettings>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}
