/**
 * What the api needs of the other stations, as one interface: the server hands the functions over, across threads where
 * they live in others. So all that crosses is plain data, and what is not a look-up in memory answers with a promise.
 */
import type { Catalog } from '@fieldline/catalog';
import type { Clock, Health, Logger, Metrics } from '@fieldline/kit';
import type { AppendedRange } from '@fieldline/log';
import type { DirectoryCache, DomainEvent, Micros, Position, RawBatch } from '@fieldline/model';
import type { TelemetryReader } from '@fieldline/store';
import type { ApiSettings } from './settings.ts';

export type Telemetry = Pick<TelemetryReader, 'readRaw' | 'readBuckets' | 'downsample' | 'latest'>;

export interface ApiDependencies {
  readonly catalog: Catalog;
  readonly telemetry: Telemetry;
  /** Kept current by the server; the api only looks things up. */
  readonly directory: DirectoryCache;
  /**
   * Resolves when what the catalog has committed so far is known to this directory, to the broker and to the pipeline, so
   * that a token works (or works no more) from the moment in which it is answered. Resolves late rather than never.
   */
  directorySettled(): Promise<void>;
  /** Appends to telemetry.raw; resolves when it is durable. One call is under way at a time. */
  ingest(batch: RawBatch): Promise<AppendedRange[]>;
  /** The next raw record of each partition that the pipeline will store: what stands before it has been dealt with. */
  storedPositions(): Promise<readonly PartitionPosition[]>;
  readonly deadLetters: DeadLetterAccess;
  readonly sandboxes: SandboxAccess;
  readonly liveBus: LiveBus;
  /** Fresher than the catalog's row, from memory; null where nothing is known since the start. A status 'unknown' leaves the row's. */
  deviceStatus(deviceId: string): DeviceConnectivity | null;
  /** The state of every part, for /health/ready. */
  health(): Promise<readonly Health[]>;
  pipelineHealth(): Promise<PipelineReport>;
  /** Metric values of every thread (kit Metrics.snapshot()); those of `metrics`, where the api counts, are among them. */
  metricsSnapshots(): Promise<object[][]>;
  /** Where devices find the MQTT broker; ports are known only once it listens. */
  mqttAddress(): MqttAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly settings: ApiSettings;
}

export interface PartitionPosition {
  readonly partition: number;
  readonly next: Position;
}

export interface MqttAddress {
  /** null = the host under which the caller reached the api. */
  readonly host: string | null;
  readonly port: number | null;
  readonly tlsPort: number | null;
}

export interface DeviceConnectivity {
  readonly status: 'online' | 'offline' | 'unknown';
  /** When the status last changed. */
  readonly since: Micros | null;
  readonly lastSeen: Micros | null;
}

/** Dead letters live in the log's topic of that name; their id is 'partition-position'. */
export interface DeadLetterAccess {
  /** Newest first. Never shows another organization's. BAD_REQUEST where the cursor is not one of its own. */
  list(query: DeadLetterQuery): Promise<{ items: readonly DeadLetterItem[]; nextCursor: string | null }>;
  /** null where there is none of this id in this organization. */
  get(organizationId: string, id: string): Promise<DeadLetterItem | null>;
  /** Appends the original records to telemetry.raw again; resolves when they are durable. */
  replay(request: DeadLetterReplay): Promise<{ replayed: number; notFound: readonly string[] }>;
}

export interface DeadLetterFilter {
  /** Reason code. */
  readonly code?: string;
  readonly deviceId?: string;
}

export interface DeadLetterQuery extends DeadLetterFilter {
  readonly organizationId: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface DeadLetterReplay {
  readonly organizationId: string;
  /** Who asked for it. */
  readonly userId: string | null;
  /** Exactly these, or all that match the filter. */
  readonly select: { readonly ids: readonly string[] } | { readonly filter: DeadLetterFilter };
}

export interface DeadLetterItem {
  readonly id: string;
  readonly organizationId: string;
  /** When the original record was received. */
  readonly receivedTime: Micros;
  /** When it became a dead letter. */
  readonly deadTime: Micros;
  readonly code: string;
  readonly message: string;
  readonly topic: string;
  readonly deviceId: string;
  readonly codec: string;
  readonly source: string;
  readonly payload: Uint8Array;
  /** True where the rest of the record was taken in. */
  readonly partial: boolean;
  readonly rejections: readonly { readonly metric: string; readonly code: string; readonly message: string }[];
  readonly replayedAt: Micros | null;
}

/** The stores that replays have filled beside the live one. Known by their job's id: whoever asks has seen the job. */
export interface SandboxAccess {
  /** Each question answers NOT_FOUND where the sandbox is not there (yet, or any more). */
  telemetryOf(jobId: string): Telemetry;
  /** Deletes it where it is there. */
  remove(jobId: string): Promise<void>;
}

/** What somebody looks at now. What is in none of the lists need not be sent. */
export interface LiveInterest {
  /** All samples of these devices. */
  readonly devices: readonly string[];
  /** The newest sample of each metric, about once a second, of all devices of these sites and organizations. */
  readonly sites: readonly string[];
  readonly organizations: readonly string[];
}

/** Samples of one device that were taken in together, in columns. */
export interface LiveFrame {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly metricKeys: readonly string[];
  /** Sample i belongs to metricKeys[metricIndex[i]]. Its length is the number of samples. */
  readonly metricIndex: ArrayLike<number>;
  /** Microseconds. */
  readonly sourceTime: ArrayLike<number>;
  /** NaN where the sample is a text. */
  readonly value: ArrayLike<number>;
  readonly quality: ArrayLike<number>;
  readonly texts: ReadonlyMap<number, string> | null;
}

export interface DeviceStatusUpdate extends DeviceConnectivity {
  readonly organizationId: string;
  readonly deviceId: string;
  /** Why it went offline, in words. */
  readonly reason?: string;
}

/** The live fan-out. Each on…() returns the function that ends it; listeners do not throw. */
export interface LiveBus {
  setInterest(interest: LiveInterest): void;
  onFrame(listener: (frame: LiveFrame) => void): () => void;
  onDeviceStatus(listener: (update: DeviceStatusUpdate) => void): () => void;
  onEvent(listener: (event: DomainEvent) => void): () => void;
}

export interface PipelineReport {
  readonly status: 'ok' | 'degraded' | 'stopped';
  readonly problem: string | null;
  /** Raw records that are durable and not yet stored. */
  readonly lagRecords: number;
  /** Age of the oldest of them in seconds; null where it is not known. */
  readonly lagSeconds: number | null;
  readonly recordsPerSecond: number;
  readonly samplesPerSecond: number;
  readonly deadLettersPerSecond: number;
  readonly recordsTotal: number;
  readonly samplesTotal: number;
  readonly deadLettersTotal: number;
  readonly circuitBreaker: {
    readonly state: 'closed' | 'open' | 'half-open';
    readonly since: Micros | null;
    readonly reason: string | null;
  };
  readonly lastStoredAt: Micros | null;
  readonly log: readonly { readonly topic: string; readonly records: number; readonly bytes: number }[];
  readonly store: {
    readonly hotRows: number;
    readonly sealedRows: number;
    readonly sealedBytes: number;
    readonly sealedFiles: number;
  };
}
