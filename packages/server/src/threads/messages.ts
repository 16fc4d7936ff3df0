/**
 * What the threads of one process say to each other. Three threads beside the main one: `broker` (MQTT and the log's writer),
 * `pipeline` (stages and store) and the catalog's PGlite. Methods are called through kit's thread-rpc, so arguments and
 * results are plain data; messages are one-way.
 */
import type { MessagePort } from 'node:worker_threads';
import type { LiveFrame, LiveInterest, PartitionPosition, PipelineReport } from '@fieldline/api';
import type { Health } from '@fieldline/kit';
import type { AppendedRange, PartitionBounds, TopicName } from '@fieldline/log';
import type {
  DirectoryChange,
  DirectoryDevice,
  DirectorySnapshot,
  Micros,
  Position,
  RawBatch,
  SeriesDefinition,
  SeriesRequest,
  StoredSeries,
} from '@fieldline/model';
import type {
  BucketColumns,
  BucketQuery,
  DownsampleQuery,
  LatestSample,
  RawQuery,
  SampleColumns,
} from '@fieldline/store';
import type { Config } from '../config/schema.ts';

/** What every thread can be asked. */
export interface ThreadHost {
  health(): Health[];
  metrics(): Promise<object[]>;
  stop(): Promise<void>;
}

/** The writing half of the embedded log; it lives in the broker thread, every other thread has a port to it. */
export interface LogHost {
  append(topic: TopicName, batch: RawBatch): Promise<AppendedRange[]>;
  advance(topic: TopicName, partition: number, position: Position): Promise<void>;
  commitPosition(group: string, topic: TopicName, partition: number, position: Position): Promise<void>;
  committedPosition(group: string, topic: TopicName, partition: number): Promise<Position | null>;
  bounds(topic: TopicName): Promise<PartitionBounds[]>;
  /** The first record of a partition of telemetry.raw that is not stored yet: retention leaves it and all behind it. */
  storedUpTo(partition: number, position: Position): void;
}

export interface BrokerHost extends ThreadHost {
  /** Who may connect, and where their topics go. Before listen(). */
  loadDirectory(snapshot: DirectorySnapshot): void;
  /** Opens the listeners. */
  listen(): Promise<BrokerAddresses>;
  /** Closes the listeners and all sessions; the log stays open for the others. */
  closeListeners(): Promise<void>;
  applyDirectory(changes: readonly DirectoryChange[]): void;
  statistics(): object;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** null where a listener is off. */
export interface BrokerAddresses {
  readonly tcp: Address | null;
  readonly tls: Address | null;
  readonly ws: Address | null;
  readonly wss: Address | null;
}

export interface BrokerThreadData {
  readonly config: Config;
}

export interface ConnectionMessage {
  readonly type: 'connection';
  readonly change: 'connected' | 'disconnected' | 'refused';
  readonly organizationId: string;
  readonly deviceId: string;
  readonly time: Micros;
  readonly reason: string;
}

/** What the pipeline thread asks of the main one. */
export interface CatalogGate {
  registerSeries(requests: readonly SeriesRequest[]): Promise<SeriesRegistrationAnswer>;
  registerDevice(organizationId: string, key: string, gatewayId: string | null): Promise<DirectoryDevice>;
  restoreSeries(series: readonly StoredSeries[], highestId: number): Promise<number>;
}

export interface PipelineHost extends ThreadHost {
  /** Begins to read the log. The ports have come in a ConnectMessage before. */
  run(start: PipelineStart): Promise<void>;
  /** Stores what has been read and reads no more; the store still answers. */
  stopReading(): Promise<void>;
  applyDirectory(changes: readonly DirectoryChange[]): void;
  setLiveInterest(interest: LiveInterest): void;
  readRaw(query: RawQuery): Promise<SampleColumns[]>;
  readBuckets(query: BucketQuery): Promise<BucketColumns[]>;
  downsample(query: DownsampleQuery): Promise<SampleColumns[]>;
  latest(seriesIds?: readonly number[]): Promise<LatestSample[]>;
  storedPositions(): readonly PartitionPosition[];
  /** The pipeline's part of the report; the log's sizes are asked of the log. */
  report(): Promise<Omit<PipelineReport, 'log'>>;
}

export interface PipelineThreadData {
  readonly config: Config;
}

/** What the pipeline needs beside the store, which is opened before. */
export interface PipelineStart {
  readonly directory: DirectorySnapshot;
  /** What the log's writer shares with readers in other threads. */
  readonly log: unknown;
  /** The partitions of telemetry.raw as they were found, before anything new was appended. */
  readonly openedAt: readonly PartitionBounds[];
}

export interface ConnectMessage {
  readonly type: 'connect';
  /** To the log's writer (LogHost) and to the catalog (CatalogGate). */
  readonly logPort: MessagePort;
  readonly catalogPort: MessagePort;
}

export interface FramesMessage {
  readonly type: 'frames';
  readonly frames: readonly LiveFrame[];
}

/** Devices that have sent something since the last such message. */
export interface LastSeenMessage {
  readonly type: 'last-seen';
  readonly deviceIds: readonly string[];
  readonly times: readonly Micros[];
}

export interface SeriesRegistrationAnswer {
  readonly series: readonly (SeriesDefinition | null)[];
  readonly refused: readonly { readonly index: number; readonly code: 'SERIES_LIMIT' | 'DEVICE_UNKNOWN' }[];
}
