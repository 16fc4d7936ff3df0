/**
 * What a run over the log's history is given and what it tells. The runner (run-history.ts) takes raw records of the past through
 * the live stages, into whatever sink it is given: replay uses it, and whatever else asks what the past would give today.
 */
import type { Clock, Logger } from '@fieldline/kit';
import type { DirectoryCache, LoggedBatch, Micros, Position } from '@fieldline/model';
import type { PipelineOptions, PipelineSettings, SampleSink } from '../options.ts';

/** The raw log, as far as history is read from it. */
export interface HistorySource {
  readonly topic: string;
  readonly partitions: readonly number[];
  /** Records from `from` on, at most so many; null where there are none. LOG_POSITION_GONE where retention has deleted them. */
  read(
    partition: number,
    from: Position,
    options: { readonly bytesMax: number; readonly recordsMax: number; readonly signal: AbortSignal },
  ): Promise<LoggedBatch | null>;
  bounds(partition: number): Promise<{ readonly first: Position; readonly next: Position }>;
  /** The first position whose record was received at or after this time. */
  positionAtTime(partition: number, time: Micros): Promise<Position>;
}

/** Which records, by whom and when they were received. */
export interface HistorySelection {
  readonly organizationId: string;
  /** Ids; null = all devices of the organisation, also those that were not known when they spoke. */
  readonly deviceIds: readonly string[] | null;
  /** Received time, inclusive. */
  readonly from: Micros;
  /** Exclusive. */
  readonly to: Micros;
}

export interface HistoryOptions extends Pick<PipelineOptions, 'registerSeries' | 'registerDevice'> {
  readonly source: HistorySource;
  readonly sink: SampleSink;
  /** Under this name the sink keeps how far the run is; unlike any other run's in the same sink. */
  readonly name: string;
  /** A copy of its own, as it is when the run begins. */
  readonly directory: DirectoryCache;
  readonly selection: HistorySelection;
  /** Where an earlier attempt was; null = from the start. */
  readonly checkpoint: HistoryCheckpoint | null;
  readonly pace: HistoryPace;
  /** Told about once a second, and at the end; what is awaited here holds up the run. */
  onProgress(checkpoint: HistoryCheckpoint): Promise<void>;
  readonly settings?: Partial<PipelineSettings>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How fast a run may be. */
export interface HistoryPace {
  /** Multiple of the speed at which the records came; null = as fast as the load allows. */
  readonly speed: number | null;
  /** Share of one processor's time that it may take, 1 to 100. */
  readonly loadPercentMax: number;
  /** Raw records that live ingestion has still to store; while there are more than liveLagMax the run rests. */
  liveLag(): Promise<number>;
  readonly liveLagMax: number;
}

/** All that another attempt must know. Plain JSON. */
export interface HistoryCheckpoint {
  readonly partitions: readonly PartitionSpan[];
  readonly counts: HistoryCounts;
}

/** The part of a partition that is looked through: [from, to), done up to `next`. */
export interface PartitionSpan {
  readonly partition: number;
  readonly from: Position;
  readonly to: Position;
  readonly next: Position;
}

/** What became of the records; exact over restarts. */
export interface HistoryCounts {
  /** Records that were looked at. */
  readonly recordsRead: number;
  /** Those of them that were selected. */
  readonly records: number;
  readonly samples: number;
  /** Reason code → records or metrics that were not taken in. */
  readonly refused: Readonly<Record<string, number>>;
  /** The first of them. */
  readonly refusals: readonly { readonly position: Position; readonly code: string; readonly message: string }[];
  /** Positions that could not be read: the log is damaged there. */
  readonly recordsMissing: number;
  /** Positions that retention deleted before they were reached. */
  readonly recordsDeleted: number;
  /** Set where the log does not reach back to the start of the range: when its oldest record was received. */
  readonly oldestReceivedTime: Micros | null;
}

export const NO_COUNTS: HistoryCounts = {
  recordsRead: 0,
  records: 0,
  samples: 0,
  refused: {},
  refusals: [],
  recordsMissing: 0,
  recordsDeleted: 0,
  oldestReceivedTime: null,
};

/** Positions behind it, and altogether. */
export function progressOf({ partitions }: HistoryCheckpoint): { done: number; total: number } {
  const sum = (of: (span: PartitionSpan) => number): number => partitions.reduce((total, span) => total + of(span), 0);
  return { done: sum(({ from, next }) => next - from), total: sum(({ from, to }) => to - from) };
}
