/**
 * Several batches as one. A reader wants some ten thousand records at a time, since each batch costs it a transaction,
 * while appends are as small as the traffic makes them; copying the columns costs a few nanoseconds a record. Pure.
 */
import type { Origin, RawBatch } from '@fieldline/model';

/** The records of all batches, in order. One batch is given back as it is. Equal origins must be identical objects. */
export function mergeBatches(batches: readonly RawBatch[]): RawBatch {
  if (batches.length === 1) return batches[0]!;
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const byteLength = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  const originIndex = new Uint32Array(count);
  const receivedTime = new Float64Array(count);
  const payloadEnd = new Uint32Array(count);
  const bytes = Buffer.allocUnsafeSlow(byteLength);
  const indexOf = new Map<Origin, number>();
  let at = 0;
  let bytesAt = 0;
  for (const batch of batches) {
    const mergedIndex = batch.origins.map((origin) => indexIn(indexOf, origin));
    receivedTime.set(batch.receivedTime, at);
    bytes.set(batch.bytes, bytesAt);
    for (let i = 0; i < batch.count; i++) {
      originIndex[at + i] = mergedIndex[batch.originIndex[i]!]!;
      payloadEnd[at + i] = bytesAt + batch.payloadEnd[i]!;
    }
    at += batch.count;
    bytesAt += batch.bytes.length;
  }
  return { count, origins: [...indexOf.keys()], originIndex, receivedTime, payloadEnd, bytes };
}

function indexIn(indexOf: Map<Origin, number>, origin: Origin): number {
  let index = indexOf.get(origin);
  if (index === undefined) {
    index = indexOf.size;
    indexOf.set(origin, index);
  }
  return index;
}
