/** What the main thread and the pipeline's say to the history thread, and it to them. */
import type { MessagePort } from 'node:worker_threads';
import type { DirectorySnapshot } from '@fieldline/model';
import type { HistoryCheckpoint, HistorySelection, SampleSink } from '@fieldline/pipeline';
import type {
  BucketColumns,
  BucketQuery,
  DownsampleQuery,
  LatestSample,
  RawQuery,
  SampleColumns,
} from '@fieldline/store';
import type { Config } from '../config/schema.ts';

/** The history thread: replays run in it, and sandboxes are read through it. Started when the first of them is asked for. */
export interface HistoryHost {
  /** Resolves with the last checkpoint: at the end of the range, or after end(). */
  replay(request: ReplayRun): Promise<HistoryCheckpoint>;
  /** Lets a replay end where it is. */
  end(jobId: string): void;
  readRaw(jobId: string, query: RawQuery): Promise<SampleColumns[]>;
  readBuckets(jobId: string, query: BucketQuery): Promise<BucketColumns[]>;
  downsample(jobId: string, query: DownsampleQuery): Promise<SampleColumns[]>;
  latest(jobId: string, seriesIds?: readonly number[]): Promise<LatestSample[]>;
  /** CONFLICT while it is in use. */
  removeSandbox(jobId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface ReplayRun {
  readonly jobId: string;
  readonly target: 'live' | 'sandbox';
  readonly selection: HistorySelection;
  /** Multiple of the original pace; null = as fast as live ingestion allows. */
  readonly speed: number | null;
  readonly checkpoint: HistoryCheckpoint | null;
  /** What belongs to the organisation. */
  readonly directory: DirectorySnapshot;
}

export interface HistoryThreadData {
  readonly config: Config;
  /** What the log's writer shares with readers in other threads. */
  readonly log: unknown;
  /** To the live store (LiveStore) and to the catalog (CatalogGate). */
  readonly storePort: MessagePort;
  readonly catalogPort: MessagePort;
}

/** The live store as others may write into it; it lives in the pipeline's thread. */
export interface LiveStore extends Omit<SampleSink, 'latest'> {
  /** Raw records that are durable and not yet stored. */
  lagRecords(): Promise<number>;
}

/** Brings the pipeline's thread a port on which it answers as LiveStore. */
export interface StorePortMessage {
  readonly type: 'store-port';
  readonly port: MessagePort;
}

export interface HistoryProgressMessage {
  readonly type: 'history-progress';
  readonly jobId: string;
  readonly checkpoint: HistoryCheckpoint;
}
