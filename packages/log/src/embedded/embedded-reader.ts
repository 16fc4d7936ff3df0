/**
 * The reading half of the embedded log, for any thread of the process that the log is open in: files are read directly, the
 * end of each partition is looked up in memory shared with the writer.
 */
import { join } from 'node:path';
import { FieldlineError, type Logger, silentLogger } from '@fieldline/kit';
import type { LoggedBatch, Micros, Position } from '@fieldline/model';
import type { LogDamage, LogReader, PartitionBounds, ReadOptions, TopicName } from '../log.ts';
import { noSuchPartition } from '../partition.ts';
import { READ_BYTES_MAX } from '../settings.ts';
import { GroupPositions } from './group-positions.ts';
import { PartitionReader } from './partition-reader.ts';
import { SharedEnds } from './shared-ends.ts';

/** What a reader in another thread needs; goes through postMessage or workerData. */
export interface SharedLog {
  readonly dir: string;
  /** Topics in the order of their partitions in the buffer. */
  readonly topics: readonly { readonly topic: TopicName; readonly partitions: number }[];
  readonly ends: SharedArrayBuffer;
}

export interface EmbeddedReaderOptions {
  /** From EmbeddedLog.shareable(). */
  readonly shared: SharedLog;
  readonly logger?: Logger;
  /** Told of each damaged place once, beside the logger. */
  readonly onDamage?: (damage: LogDamage) => void;
}

/** Opens a reader beside the writer. Close it when it is no longer needed; waiting reads end when the log closes. */
export function openEmbeddedLogReader(options: EmbeddedReaderOptions): LogReader {
  return new EmbeddedReader(options);
}

interface ReadablePartition {
  readonly ends: SharedEnds;
  readonly reader: PartitionReader;
}

class EmbeddedReader implements LogReader {
  readonly #shared: SharedLog;
  readonly #partitions = new Map<TopicName, ReadablePartition[]>();
  readonly #closing = new AbortController();

  constructor({ shared, logger = silentLogger, onDamage }: EmbeddedReaderOptions) {
    this.#shared = shared;
    let index = 0;
    for (const { topic, partitions } of shared.topics) {
      const all = Array.from({ length: partitions }, (_, partition) => {
        const ends = new SharedEnds(shared.ends, index++);
        const report = (damage: LogDamage): void => {
          logger.error(
            damage,
            `log ${topic}/${partition}: ${damage.reason} (${damage.file} at byte ${damage.byteOffset})`,
          );
          onDamage?.(damage);
        };
        const folder = partitionFolder(shared.dir, topic, partition);
        return { ends, reader: new PartitionReader({ topic, partition, folder, ends, onDamage: report }) };
      });
      this.#partitions.set(topic, all);
    }
  }

  async read(
    topic: TopicName,
    partition: number,
    from: Position,
    options: ReadOptions = {},
  ): Promise<LoggedBatch | null> {
    this.#refuseIfClosed();
    const { ends, reader } = this.#partition(topic, partition);
    const limits = { bytesMax: options.bytesMax ?? READ_BYTES_MAX, recordsMax: options.recordsMax ?? Infinity };
    const before = ends.load();
    const batch = await reader.read(from, limits);
    if (batch !== null || !options.waitMs || options.signal?.aborted) return batch;
    if (ends.isClosed) throw new FieldlineError('STOPPED', `log ${this.#shared.dir} has been closed`);
    // Where only damage lies before the end that was seen, the next record will stand behind it.
    await ends.waitForPosition(Math.max(from, before.next), options.waitMs, options.signal);
    return this.#closing.signal.aborted ? null : reader.read(from, limits);
  }

  async positionAtTime(topic: TopicName, partition: number, time: Micros): Promise<Position> {
    this.#refuseIfClosed();
    return this.#partition(topic, partition).reader.positionAtTime(time);
  }

  async bounds(topic: TopicName): Promise<PartitionBounds[]> {
    return this.#partitionsOf(topic).map(({ ends }, partition) => {
      const { first, next, byteLength } = ends.load();
      return { partition, first, next, byteLength };
    });
  }

  async committedPosition(group: string, topic: TopicName, partition: number): Promise<Position | null> {
    this.#partition(topic, partition);
    return GroupPositions.lookUp(groupsPath(this.#shared.dir), group, topic, partition);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const partitions of this.#partitions.values()) {
      for (const { ends, reader } of partitions) {
        ends.wakeAll();
        await reader.close();
      }
    }
  }

  #partitionsOf(topic: TopicName): ReadablePartition[] {
    const partitions = this.#partitions.get(topic);
    if (partitions === undefined) throw noSuchPartition(topic, 0);
    return partitions;
  }

  #partition(topic: TopicName, partition: number): ReadablePartition {
    const found = this.#partitionsOf(topic)[partition];
    if (found === undefined) throw noSuchPartition(topic, partition);
    return found;
  }

  #refuseIfClosed(): void {
    if (this.#closing.signal.aborted)
      throw new FieldlineError('STOPPED', `log ${this.#shared.dir}: the reader is closed`);
  }
}

export function partitionFolder(dir: string, topic: string, partition: number): string {
  return join(dir, topic, String(partition));
}

export function groupsPath(dir: string): string {
  return join(dir, 'groups');
}
