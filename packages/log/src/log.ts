/**
 * The log's port: topics of raw records, in partitions, append-only, durable. This comment is the contract; the
 * conformance suite (conformance.ts) checks it on every adapter.
 *
 * - append() resolves only when the records are on disk (or, for a clustered log, acknowledged by a quorum). If it rejects,
 *   any part of the batch may or may not be there, nothing may be acknowledged, and the caller may append it again.
 *   It rejects with OVERLOADED (too much waits for the disk already: append later), DISK_FULL, PAYLOAD_TOO_LARGE (one record
 *   is over the limit), UNAVAILABLE (the disk failed) or STOPPED. An empty batch resolves with no range.
 * - A batch belongs to the log from the call to append() until it settles: neither columns nor bytes may change meanwhile
 *   (a RawBatchBuilder's view() may be passed if the builder is left alone for so long).
 * - All records of an origin's device go to one partition and keep the order in which they were appended: two appends by
 *   one caller that overlap are written in the order of the calls.
 * - A position is the ordinal of a record in one (topic, partition). Positions grow without gaps while records are appended;
 *   after recovery from damage there may be gaps, never a position that is used twice.
 * - Readers see a record only after it is durable. Reading never removes anything. Any number of readers are independent.
 * - A record that is damaged on disk is never given out: it is reported through onDamage and passed over.
 * - Equal origins are mostly given out as the identical object, across batches too, so that a reader may keep by identity
 *   what it knows of an origin (with a bound: an origin that was not seen for long comes back as another object).
 * - Retention deletes whole ranges from the old end. Reading from a position before `first` rejects with LOG_POSITION_GONE,
 *   so that a consumer that was away too long knows what it missed.
 * - Opening a log repairs a torn end (an append that was cut off by a crash and was never acknowledged) by itself.
 */
import type { LoggedBatch, Micros, Position, RawBatch } from '@fieldline/model';

export const TOPICS = ['telemetry.raw', 'events', 'dead-letters', 'commands'] as const;
export type TopicName = (typeof TOPICS)[number];

export interface TopicSettings {
  readonly partitions: number;
  /** Records older than this (by received time) may be deleted; null = kept. */
  readonly retentionMs: number | null;
  /** The oldest records may be deleted while the topic is larger than this; null = no bound. */
  readonly retentionBytes: number | null;
}

export interface AppendedRange {
  readonly partition: number;
  readonly firstPosition: Position;
  readonly count: number;
}

export interface PartitionBounds {
  readonly partition: number;
  /** The oldest record that can be read. */
  readonly first: Position;
  /** The position that the next appended record gets: everything below it is durable and readable. */
  readonly next: Position;
  readonly byteLength: number;
}

export interface ReadOptions {
  /** At most so many payload bytes are gathered (at least one record is given where there is one). Default 4 MiB. */
  readonly bytesMax?: number;
  readonly recordsMax?: number;
  /** How long to wait for the first record where there is none yet. Default 0: answer at once. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface LogDamage {
  readonly topic: string;
  readonly partition: number;
  readonly file: string;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly reason: string;
}

/** What an adapter can do; the conformance suite demands the documented refusal (NOT_SUPPORTED) of what it cannot. */
export interface LogCapabilities {
  /** Several processes may append and read at the same time. */
  readonly manyProcesses: boolean;
  /** Survives the end of the process. */
  readonly persistent: boolean;
}

/** The reading half. In the embedded log it can be opened in any thread of the process, beside the writer. */
export interface LogReader {
  /**
   * The records from `from` on, in order, without overlap; null where there is none (yet), also after waitMs, an abort or
   * close() (a read that waits after the log was closed rejects with STOPPED). `batch.firstPosition` is greater than `from` only after a gap. The batch is the caller's to keep.
   */
  read(topic: TopicName, partition: number, from: Position, options?: ReadOptions): Promise<LoggedBatch | null>;
  /** The first position whose record was received at or after this time; `next` where there is none. */
  positionAtTime(topic: TopicName, partition: number, time: Micros): Promise<Position>;
  bounds(topic: TopicName): Promise<PartitionBounds[]>;
  /** The stored position of a consumer group (the next record that it will read); null where it has none yet. */
  committedPosition(group: string, topic: TopicName, partition: number): Promise<Position | null>;
  close(): Promise<void>;
}

/** null = nothing of this partition is needed any more. */
export type NeededFrom = (topic: TopicName, partition: number) => Position | null;

/** The whole log. */
export interface Log extends LogReader {
  readonly supports: LogCapabilities;
  /** Appends a batch, split over the partitions by device. Resolves when all of it is durable. */
  append(topic: TopicName, batch: RawBatch): Promise<AppendedRange[]>;
  /** Stores how far a consumer group has come; durable when it resolves. It may go back; beyond the end it is refused (BAD_REQUEST). */
  commitPosition(group: string, topic: TopicName, partition: number, position: Position): Promise<void>;
  /**
   * The next record of the partition gets this position, or a later one where the log is there already. For a log that was lost
   * or restored from an older backup, whose consumers have come further: positions are never given twice.
   */
  advance(topic: TopicName, partition: number, position: Position): Promise<void>;
  /**
   * Deletes what retention allows to be deleted, in whole ranges; what is being appended to stays. Called by a timer.
   * Returns the bytes that were freed.
   * @param neededFrom the first record that somebody has not had yet: it and all behind it stay, however old and large
   */
  enforceRetention(now: Micros, neededFrom?: NeededFrom): Promise<number>;
}
