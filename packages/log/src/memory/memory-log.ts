/**
 * The log in memory: the reference for the contract and the log of tests. Nothing survives the process. Not bounded but by
 * retention.
 */
import { FieldlineError } from '@fieldline/kit';
import type { LoggedBatch, Micros, Position, RawBatch } from '@fieldline/model';
import type { AppendedRange, Log, NeededFrom, PartitionBounds, ReadOptions, TopicName, TopicSettings } from '../log.ts';
import {
  endWithin,
  noSuchPartition,
  positionGone,
  refuseBeyondEnd,
  sliceBatch,
  splitByPartition,
} from '../partition.ts';
import { DEFAULT_TOPIC_SETTINGS, READ_BYTES_MAX } from '../settings.ts';
import { waitFor } from '../wait.ts';

/** Each range is one append's share of the partition. */
interface Range {
  readonly first: Position;
  readonly batch: RawBatch;
  readonly byteLength: number;
  readonly timeMax: Micros;
}

interface Partition {
  readonly ranges: Range[];
  next: Position;
  byteLength: number;
  /** Called once when records come. */
  readonly waiting: Set<() => void>;
}

export function createMemoryLog(settings: Partial<Record<TopicName, TopicSettings>> = DEFAULT_TOPIC_SETTINGS): Log {
  return new MemoryLog(settings);
}

class MemoryLog implements Log {
  readonly supports = { manyProcesses: false, persistent: false };
  readonly #settings: Partial<Record<TopicName, TopicSettings>>;
  readonly #topics = new Map<TopicName, Partition[]>();
  readonly #committed = new Map<string, Position>();
  #closed = false;

  constructor(settings: Partial<Record<TopicName, TopicSettings>>) {
    this.#settings = settings;
    for (const [topic, { partitions }] of Object.entries(settings) as [TopicName, TopicSettings][]) {
      const empty = (): Partition => ({ ranges: [], next: 0, byteLength: 0, waiting: new Set() });
      this.#topics.set(topic, Array.from({ length: partitions }, empty));
    }
  }

  async append(topic: TopicName, batch: RawBatch): Promise<AppendedRange[]> {
    this.#refuseIfClosed();
    const partitions = this.#partitionsOf(topic);
    return splitByPartition(batch, partitions.length).map((share) => {
      const target = partitions[share.partition]!;
      const range = rangeOf(target.next, share.batch);
      target.ranges.push(range);
      target.next += share.batch.count;
      target.byteLength += range.byteLength;
      for (const wake of target.waiting) wake();
      return { partition: share.partition, firstPosition: range.first, count: share.batch.count };
    });
  }

  async read(
    topic: TopicName,
    partition: number,
    from: Position,
    options: ReadOptions = {},
  ): Promise<LoggedBatch | null> {
    this.#refuseIfClosed();
    const source = this.#partition(topic, partition);
    if (from < firstOf(source)) throw positionGone(topic, partition, from, firstOf(source));
    if (from >= source.next && (options.waitMs ?? 0) > 0) {
      await waitFor(
        (wake) => {
          source.waiting.add(wake);
          return () => source.waiting.delete(wake);
        },
        options.waitMs!,
        options.signal,
      );
    }
    if (from >= source.next || this.#closed) return null;
    const range = source.ranges.find(({ first, batch }) => first + batch.count > from);
    if (range === undefined) return null;
    const skip = Math.max(0, from - range.first);
    const end = endWithin(range.batch, skip, options.bytesMax ?? READ_BYTES_MAX, options.recordsMax ?? Infinity);
    return { ...sliceBatch(range.batch, skip, end), topic, partition, firstPosition: range.first + skip };
  }

  async positionAtTime(topic: TopicName, partition: number, time: Micros): Promise<Position> {
    const source = this.#partition(topic, partition);
    for (const range of source.ranges) {
      const index = range.timeMax < time ? -1 : range.batch.receivedTime.findIndex((received) => received >= time);
      if (index !== -1) return range.first + index;
    }
    return source.next;
  }

  async bounds(topic: TopicName): Promise<PartitionBounds[]> {
    return this.#partitionsOf(topic).map((source, partition) => {
      return { partition, first: firstOf(source), next: source.next, byteLength: source.byteLength };
    });
  }

  async committedPosition(group: string, topic: TopicName, partition: number): Promise<Position | null> {
    this.#partition(topic, partition);
    return this.#committed.get(JSON.stringify([group, topic, partition])) ?? null;
  }

  async commitPosition(group: string, topic: TopicName, partition: number, position: Position): Promise<void> {
    this.#refuseIfClosed();
    refuseBeyondEnd(topic, partition, position, this.#partition(topic, partition).next);
    this.#committed.set(JSON.stringify([group, topic, partition]), position);
  }

  async advance(topic: TopicName, partition: number, position: Position): Promise<void> {
    this.#refuseIfClosed();
    const target = this.#partition(topic, partition);
    target.next = Math.max(target.next, position);
  }

  async enforceRetention(now: Micros, neededFrom: NeededFrom = () => null): Promise<number> {
    let freed = 0;
    for (const [topic, partitions] of this.#topics) {
      const { retentionMs, retentionBytes } = this.#settings[topic]!;
      const oldest = retentionMs === null ? -Infinity : now - retentionMs * 1000;
      const share = retentionBytes === null ? Infinity : retentionBytes / partitions.length;
      for (const [partition, source] of partitions.entries()) {
        const needed = neededFrom(topic, partition) ?? Number.POSITIVE_INFINITY;
        // The newest range stays, as the file that is being appended to does in the embedded log.
        while (
          source.ranges.length > 1 &&
          source.ranges[1]!.first <= needed &&
          (source.ranges[0]!.timeMax < oldest || source.byteLength > share)
        ) {
          const range = source.ranges.shift()!;
          source.byteLength -= range.byteLength;
          freed += range.byteLength;
        }
      }
    }
    return freed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const partitions of this.#topics.values()) {
      for (const source of partitions) for (const wake of source.waiting) wake();
    }
  }

  #partitionsOf(topic: TopicName): Partition[] {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) throw noSuchPartition(topic, 0);
    return partitions;
  }

  #partition(topic: TopicName, partition: number): Partition {
    const found = this.#partitionsOf(topic)[partition];
    if (found === undefined) throw noSuchPartition(topic, partition);
    return found;
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new FieldlineError('STOPPED', 'the memory log has been closed');
  }
}

function firstOf(partition: Partition): Position {
  return partition.ranges[0]?.first ?? partition.next;
}

/** A range with its own copy of the batch, so that the caller may use its memory again. */
function rangeOf(first: Position, batch: RawBatch): Range {
  const { count } = batch;
  const receivedTime = batch.receivedTime.slice(0, count);
  const payloadEnd = batch.payloadEnd.slice(0, count);
  const bytes = batch.bytes.slice(0, payloadEnd[count - 1]);
  const copy = {
    count,
    origins: [...batch.origins],
    originIndex: batch.originIndex.slice(0, count),
    receivedTime,
    payloadEnd,
    bytes,
  };
  const timeMax = receivedTime.reduce((latest, time) => Math.max(latest, time), -Infinity);
  return { first, batch: copy, byteLength: bytes.length + count * 16, timeMax };
}
