/** Which partition a record belongs to, and a batch split over the partitions. Pure; the same in every adapter. */
import { crc32 } from 'node:zlib';
import { FieldlineError } from '@fieldline/kit';
import { type Origin, originOf, payloadOf, type RawBatch, RawBatchBuilder } from '@fieldline/model';
import type { TopicName } from './log.ts';

/** The partition of an origin: all records of a device are in one. Part of the format on disk: it must never change. */
export function partitionOf(origin: Origin, partitions: number): number {
  return partitions === 1 ? 0 : crc32(origin.deviceId) % partitions;
}

export interface PartitionShare {
  readonly partition: number;
  readonly batch: RawBatch;
}

/** The batch's records by partition, each in order. With one partition the batch itself, not copied. */
export function splitByPartition(batch: RawBatch, partitions: number): PartitionShare[] {
  if (batch.count === 0) return [];
  if (partitions === 1) return [{ partition: 0, batch }];
  const ofOrigin = batch.origins.map((origin) => partitionOf(origin, partitions));
  const builders = new Map<number, RawBatchBuilder>();
  for (let i = 0; i < batch.count; i++) {
    const partition = ofOrigin[batch.originIndex[i]!]!;
    let builder = builders.get(partition);
    if (builder === undefined) {
      builder = new RawBatchBuilder(Math.ceil(batch.count / partitions), 1024);
      builders.set(partition, builder);
    }
    builder.add(originOf(batch, i), batch.receivedTime[i]!, payloadOf(batch, i));
  }
  return Array.from(builders, ([partition, builder]) => ({ partition, batch: builder.take() }));
}

/** Records [from, to) of a batch, as views; only payloadEnd is copied, and only where it has to be shifted. */
export function sliceBatch(batch: RawBatch, from: number, to: number): RawBatch {
  const base = from === 0 ? 0 : batch.payloadEnd[from - 1]!;
  let payloadEnd = batch.payloadEnd.subarray(from, to);
  if (base !== 0) payloadEnd = payloadEnd.map((end) => end - base);
  return {
    count: to - from,
    origins: batch.origins,
    originIndex: batch.originIndex.subarray(from, to),
    receivedTime: batch.receivedTime.subarray(from, to),
    payloadEnd,
    bytes: batch.bytes.subarray(base, to === 0 ? 0 : batch.payloadEnd[to - 1]),
  };
}

/** How far a read may go: the end of records [from, …) of a batch within the limits, at least one record. */
export function endWithin(batch: RawBatch, from: number, bytesMax: number, recordsMax: number): number {
  const last = Math.min(batch.count, from + Math.max(1, recordsMax));
  const bytesEnd = (from === 0 ? 0 : batch.payloadEnd[from - 1]!) + bytesMax;
  if (batch.payloadEnd[last - 1]! <= bytesEnd) return last;
  let low = from + 1;
  let high = last;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (batch.payloadEnd[middle - 1]! <= bytesEnd) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The error for a position that retention has deleted. */
export function positionGone(topic: string, partition: number, from: number, first: number): FieldlineError {
  const sentence = `log ${topic}/${partition}: position ${from} was deleted by retention, the oldest is ${first}; go on from there and say what is missing`;
  return new FieldlineError('LOG_POSITION_GONE', sentence, { details: { topic, partition, from, first } });
}

/** The error for a topic or partition that this log does not have. */
export function noSuchPartition(topic: TopicName, partition: number): FieldlineError {
  return new FieldlineError(
    'NOT_FOUND',
    `log: there is no partition ${partition} of topic "${topic}"; check the settings`,
  );
}

/** Refuses to store a consumer's position that no record has led to. */
export function refuseBeyondEnd(topic: TopicName, partition: number, position: number, next: number): void {
  if (Number.isInteger(position) && position >= 0 && position <= next) return;
  const sentence = `log ${topic}/${partition}: position ${position} is not one between 0 and the end, ${next}; commit what was read`;
  throw new FieldlineError('BAD_REQUEST', sentence, { details: { topic, partition, position, next } });
}
