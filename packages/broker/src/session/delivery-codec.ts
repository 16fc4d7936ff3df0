/**
 * Deliveries that wait, as one run of bytes: thousands of them cost no objects. Payloads come out as views of the bytes.
 *
 *   per delivery: flags (1) | id (8) | [expires at (8)] | identifiers: count (2), each (4) | topic: length (2), bytes |
 *                 properties: length (4), bytes | payload: length (4), bytes
 *   flags: bits 7-6 QoS | 5-4 QoS as published | 3 retain | 2 retain as published | 1 shared | 0 expires
 */
import type { Delivery, QoS, SharedDelivery } from '../message.ts';

/** `shared` are objects of this process: they are kept beside the bytes, in the order of the deliveries that have one. */
export interface EncodedDeliveries {
  readonly bytes: Buffer;
  readonly shared: readonly SharedDelivery[];
}

export function encodeDeliveries(deliveries: readonly Delivery[]): EncodedDeliveries {
  const topicBytes = deliveries.map(({ message }) => Buffer.byteLength(message.topic));
  let length = 0;
  for (const [index, { message, subscriptionIdentifiers }] of deliveries.entries()) {
    length += 29 + topicBytes[index]! + 4 * subscriptionIdentifiers.length;
    length += message.properties.length + message.payload.length;
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  const shared: SharedDelivery[] = [];
  let position = 0;
  for (const [index, delivery] of deliveries.entries()) {
    if (delivery.shared !== undefined) shared.push(delivery.shared);
    position = writeDelivery(bytes, position, delivery, topicBytes[index]!);
  }
  return { bytes: bytes.subarray(0, position), shared };
}

function writeDelivery(bytes: Buffer, start: number, delivery: Delivery, topicBytes: number): number {
  const { message, qos, retain, subscriptionIdentifiers, id, shared } = delivery;
  const expires = message.expiresAtMs !== Number.POSITIVE_INFINITY;
  bytes[start] =
    (qos << 6) |
    (message.qos << 4) |
    (retain ? 8 : 0) |
    (message.retain ? 4 : 0) |
    (shared === undefined ? 0 : 2) |
    (expires ? 1 : 0);
  let position = bytes.writeDoubleBE(id, start + 1);
  if (expires) position = bytes.writeDoubleBE(message.expiresAtMs, position);
  position = bytes.writeUInt16BE(subscriptionIdentifiers.length, position);
  for (const identifier of subscriptionIdentifiers) position = bytes.writeUInt32BE(identifier, position);
  position = bytes.writeUInt16BE(topicBytes, position);
  position += bytes.write(message.topic, position);
  for (const part of [message.properties, message.payload]) {
    position = bytes.writeUInt32BE(part.length, position);
    bytes.set(part, position);
    position += part.length;
  }
  return position;
}

export function decodeDeliveries({ bytes, shared }: EncodedDeliveries): Delivery[] {
  const deliveries: Delivery[] = [];
  let position = 0;
  let sharedIndex = 0;
  const take = (length: number): Buffer => {
    position += length;
    return bytes.subarray(position - length, position);
  };
  while (position < bytes.length) {
    const flags = take(1)[0]!;
    const id = take(8).readDoubleBE();
    const expiresAtMs = (flags & 1) === 0 ? Number.POSITIVE_INFINITY : take(8).readDoubleBE();
    const subscriptionIdentifiers = Array.from({ length: take(2).readUInt16BE() }, () => take(4).readUInt32BE());
    const topic = take(take(2).readUInt16BE()).toString();
    const properties = take(take(4).readUInt32BE());
    const payload = take(take(4).readUInt32BE());
    const message = {
      topic,
      payload,
      qos: ((flags >> 4) & 3) as QoS,
      retain: (flags & 4) !== 0,
      properties,
      expiresAtMs,
    };
    const delivery = { message, qos: (flags >> 6) as QoS, retain: (flags & 8) !== 0, subscriptionIdentifiers, id };
    deliveries.push((flags & 2) === 0 ? delivery : { ...delivery, shared: shared[sharedIndex++]! });
  }
  return deliveries;
}
