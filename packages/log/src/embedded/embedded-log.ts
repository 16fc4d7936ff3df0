/**
 * The embedded log: append-only, checksummed segment files, one folder per partition. Lives in one thread of one process
 * (whoever opens it sees to that); readers may be opened in other threads with shareable(). See ADR 1.
 */
import {
  type Clock,
  FieldlineError,
  type Logger,
  Metrics,
  type OpenDiskFile,
  openDiskFile,
  silentLogger,
  systemClock,
} from '@fieldline/kit';
import type { LoggedBatch, Micros, Position, RawBatch } from '@fieldline/model';
import type {
  AppendedRange,
  Log,
  LogDamage,
  LogReader,
  NeededFrom,
  PartitionBounds,
  ReadOptions,
  TopicName,
  TopicSettings,
} from '../log.ts';
import { noSuchPartition, refuseBeyondEnd, splitByPartition } from '../partition.ts';
import { DEFAULT_TOPIC_SETTINGS } from '../settings.ts';
import { groupsPath, openEmbeddedLogReader, partitionFolder, type SharedLog } from './embedded-reader.ts';
import { prepareFolder } from './format-file.ts';
import { GroupPositions } from './group-positions.ts';
import { LogMetrics } from './log-metrics.ts';
import { OriginEncoder } from './origin-table.ts';
import { type PartitionOptions, PartitionWriter } from './partition-writer.ts';
import { SharedEnds } from './shared-ends.ts';

export interface EmbeddedLogOptions {
  /** The log's own folder; made where it is missing. */
  readonly dir: string;
  /** Topics that are not named cannot be used. Default DEFAULT_TOPIC_SETTINGS. */
  readonly topics?: Partial<Record<TopicName, TopicSettings>>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Told of each damaged place that is found, beside the logger and the metric. */
  readonly onDamage?: (damage: LogDamage) => void;
  /** A new file is begun when one would become larger. Default 64 MiB. */
  readonly segmentBytesMax?: number;
  /** A new file is begun when one is older, so that a quiet topic's retention works too. Default 1 day. */
  readonly segmentSpanMsMax?: number;
  /** A larger record is refused with PAYLOAD_TOO_LARGE. Default 64 MiB. */
  readonly recordBytesMax?: number;
  /** When more payload bytes wait for the disk, append() is refused with OVERLOADED. Default 128 MiB. */
  readonly waitingBytesMax?: number;
  /** How files are opened; tests make the disk fail here. */
  readonly openFile?: OpenDiskFile;
}

/** The embedded log and what readers in other threads need. */
export interface EmbeddedLog extends Log {
  /** For openEmbeddedLogReader() in another thread of this process. */
  shareable(): SharedLog;
}

/**
 * Opens the log, repairs torn ends, reports damage. Rejects with FORMAT_TOO_NEW, or with CONFIG_CONFLICT where the number of
 * partitions is not the one on disk.
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const topics = Object.entries(options.topics ?? DEFAULT_TOPIC_SETTINGS) as [TopicName, TopicSettings][];
  await prepareFolder(options.dir, topics);
  const logger = options.logger ?? silentLogger;
  const metrics = new LogMetrics(options.metrics ?? new Metrics());
  const onDamage = (damage: LogDamage): void => {
    metrics.damaged(damage.topic);
    options.onDamage?.(damage);
  };
  const report = (damage: LogDamage): void => {
    const { topic, partition, reason, file, byteOffset } = damage;
    logger.error(damage, `log ${topic}/${partition}: ${reason} (${file} at byte ${byteOffset})`);
    onDamage(damage);
  };
  const groups = await openGroups(options, report);
  const shared: SharedLog = {
    dir: options.dir,
    topics: topics.map(([topic, { partitions }]) => ({ topic, partitions })),
    ends: SharedEnds.bufferFor(topics.reduce((sum, [, { partitions }]) => sum + partitions, 0)),
  };
  const writers = await openWriters(options, topics, shared, groups, metrics, report);
  const reader = openEmbeddedLogReader({ shared, logger, onDamage });
  return new SegmentLog(options, new Map(topics), shared, groups, writers, reader, metrics);
}

async function openGroups(options: EmbeddedLogOptions, report: (damage: LogDamage) => void): Promise<GroupPositions> {
  const { positions, damage } = await GroupPositions.open(groupsPath(options.dir), options.openFile);
  for (const reason of damage) {
    report({ topic: 'groups', partition: 0, file: groupsPath(options.dir), byteOffset: 0, byteLength: 0, reason });
  }
  return positions;
}

async function openWriters(
  options: EmbeddedLogOptions,
  topics: readonly [TopicName, TopicSettings][],
  shared: SharedLog,
  groups: GroupPositions,
  metrics: LogMetrics,
  onDamage: (damage: LogDamage) => void,
): Promise<Map<TopicName, PartitionWriter[]>> {
  const encoder = new OriginEncoder();
  const writers = new Map<TopicName, PartitionWriter[]>();
  let index = 0;
  for (const [topic, { partitions }] of topics) {
    const all: PartitionWriter[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const settings: PartitionOptions = {
        topic,
        partition,
        folder: partitionFolder(options.dir, topic, partition),
        segmentBytesMax: options.segmentBytesMax ?? 64 * 1024 * 1024,
        segmentSpanMsMax: options.segmentSpanMsMax ?? 24 * 60 * 60 * 1000,
        recordBytesMax: options.recordBytesMax ?? 64 * 1024 * 1024,
        clock: options.clock ?? systemClock,
        openFile: options.openFile ?? openDiskFile,
        encoder,
        ends: new SharedEnds(shared.ends, index++),
        onDamage,
        onFlush: (flush) => metrics.flushed(topic, flush.records, flush.byteLength),
      };
      const writer = await PartitionWriter.open(settings, groups.knownEnd(topic, partition));
      if (groups.begin(topic, partition) === null) await groups.setBegin(topic, partition, writer.first);
      all.push(writer);
    }
    writers.set(topic, all);
    metrics.watchBytes(topic, () => all.reduce((sum, writer) => sum + writer.byteLength, 0));
  }
  return writers;
}

class SegmentLog implements EmbeddedLog {
  readonly supports = { manyProcesses: false, persistent: true };
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #waitingBytesMax: number;
  readonly #settings: ReadonlyMap<TopicName, TopicSettings>;
  readonly #shared: SharedLog;
  readonly #groups: GroupPositions;
  readonly #writers: ReadonlyMap<TopicName, PartitionWriter[]>;
  readonly #reader: LogReader;
  readonly #metrics: LogMetrics;
  #waitingBytes = 0;
  #closing: Promise<void> | null = null;

  constructor(
    options: EmbeddedLogOptions,
    settings: ReadonlyMap<TopicName, TopicSettings>,
    shared: SharedLog,
    groups: GroupPositions,
    writers: ReadonlyMap<TopicName, PartitionWriter[]>,
    reader: LogReader,
    metrics: LogMetrics,
  ) {
    this.#dir = options.dir;
    this.#clock = options.clock ?? systemClock;
    this.#waitingBytesMax = options.waitingBytesMax ?? 128 * 1024 * 1024;
    this.#settings = settings;
    this.#shared = shared;
    this.#groups = groups;
    this.#writers = writers;
    this.#reader = reader;
    this.#metrics = metrics;
  }

  shareable(): SharedLog {
    return this.#shared;
  }

  async append(topic: TopicName, batch: RawBatch): Promise<AppendedRange[]> {
    this.#refuseIfClosed();
    const writers = this.#writersOf(topic);
    if (batch.count === 0) return [];
    if (this.#waitingBytes > this.#waitingBytesMax) {
      const sentence = `log ${this.#dir}: over ${this.#waitingBytesMax} bytes wait for the disk; append again later`;
      throw new FieldlineError('OVERLOADED', sentence);
    }
    const byteLength = batch.payloadEnd[batch.count - 1]!;
    const startMs = this.#clock.monotonicMs();
    this.#waitingBytes += byteLength;
    try {
      const appends = splitByPartition(batch, writers.length).map(async (share) => {
        const firstPosition = await writers[share.partition]!.append(share.batch);
        return { partition: share.partition, firstPosition, count: share.batch.count };
      });
      // All are waited for, also when one fails: the batch belongs to the log until it has settled.
      await Promise.allSettled(appends);
      return await Promise.all(appends);
    } finally {
      this.#waitingBytes -= byteLength;
      this.#metrics.appended((this.#clock.monotonicMs() - startMs) / 1000);
    }
  }

  read(topic: TopicName, partition: number, from: Position, options?: ReadOptions): Promise<LoggedBatch | null> {
    return this.#reader.read(topic, partition, from, options);
  }

  positionAtTime(topic: TopicName, partition: number, time: Micros): Promise<Position> {
    return this.#reader.positionAtTime(topic, partition, time);
  }

  bounds(topic: TopicName): Promise<PartitionBounds[]> {
    return this.#reader.bounds(topic);
  }

  async committedPosition(group: string, topic: TopicName, partition: number): Promise<Position | null> {
    this.#writer(topic, partition);
    return this.#groups.get(group, topic, partition);
  }

  async commitPosition(group: string, topic: TopicName, partition: number, position: Position): Promise<void> {
    this.#refuseIfClosed();
    refuseBeyondEnd(topic, partition, position, this.#writer(topic, partition).next);
    await this.#groups.set(group, topic, partition, position);
  }

  async advance(topic: TopicName, partition: number, position: Position): Promise<void> {
    this.#refuseIfClosed();
    const writer = this.#writer(topic, partition);
    const from = writer.next;
    if (from >= position) return;
    await writer.advanceTo(position);
    // The doctor does not miss what was never given.
    await this.#groups.setGap(topic, partition, from, position);
  }

  async enforceRetention(now: Micros, neededFrom: NeededFrom = () => null): Promise<number> {
    this.#refuseIfClosed();
    let freed = 0;
    for (const [topic, { retentionMs, retentionBytes }] of this.#settings) {
      const writers = this.#writersOf(topic);
      for (const [partition, writer] of writers.entries()) {
        // Noted first: where files are missing that retention has not deleted, the doctor says so.
        const drop = async (): Promise<number> => {
          await this.#groups.setBegin(topic, partition, writer.firstAfterOldest);
          return writer.dropOldest();
        };
        const needed = neededFrom(topic, partition) ?? Number.POSITIVE_INFINITY;
        const mayDrop = (): boolean => writer.hasSealed && writer.firstAfterOldest <= needed;
        if (retentionMs !== null) freed += await dropOlderThan(writer, now - retentionMs * 1000, mayDrop, drop);
        if (retentionBytes !== null) freed += await dropBeyond(writer, retentionBytes / writers.length, mayDrop, drop);
      }
    }
    return freed;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#reader.close();
    for (const [topic, writers] of this.#writers) {
      for (const [partition, writer] of writers.entries()) {
        await writer.close();
        await this.#groups.setEnd(topic, partition, writer.next);
      }
    }
    await this.#groups.close();
  }

  #writersOf(topic: TopicName): PartitionWriter[] {
    const writers = this.#writers.get(topic);
    if (writers === undefined) throw noSuchPartition(topic, 0);
    return writers;
  }

  #writer(topic: TopicName, partition: number): PartitionWriter {
    const writer = this.#writersOf(topic)[partition];
    if (writer === undefined) throw noSuchPartition(topic, partition);
    return writer;
  }

  #refuseIfClosed(): void {
    if (this.#closing !== null) throw new FieldlineError('STOPPED', `log ${this.#dir} has been closed`);
  }
}

async function dropOlderThan(
  writer: PartitionWriter,
  oldest: Micros,
  mayDrop: () => boolean,
  drop: () => Promise<number>,
): Promise<number> {
  await writer.rollIfOlderThan(oldest);
  let freed = 0;
  while (mayDrop() && (await writer.oldestTimeMax()) < oldest) freed += await drop();
  return freed;
}

async function dropBeyond(
  writer: PartitionWriter,
  bytesMax: number,
  mayDrop: () => boolean,
  drop: () => Promise<number>,
): Promise<number> {
  let freed = 0;
  while (mayDrop() && writer.byteLength > bytesMax) freed += await drop();
  return freed;
}
