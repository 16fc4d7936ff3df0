/**
 * PUBLISH (MQTT 5, 3.3), the hot packet. decodePublish() fills one reusable record with positions in the socket's
 * buffer: no object, no string, no copy per packet. encodePublish() writes what goes to a subscriber.
 *
 *   topic length (2) | topic | packet id (2, QoS > 0) | properties (MQTT 5) | payload
 */
import type { Delivery, ProtocolVersion, QoS } from '../message.ts';
import { PacketReader } from './packet-reader.ts';
import { NO_PROPERTIES, type Properties, readProperties } from './properties.ts';
import { malformed, protocolViolation } from './protocol-error.ts';

/** What a PUBLISH says; positions are in the buffer that was decoded. Used again for the next packet. */
export class PublishFields {
  qos: QoS = 0;
  retain = false;
  duplicate = false;
  topicStart = 0;
  /** Equal to topicStart where the topic is given by its alias. */
  topicEnd = 0;
  /** 0 at QoS 0. */
  packetId = 0;
  payloadStart = 0;
  payloadEnd = 0;
  properties: Readonly<Properties> = NO_PROPERTIES;
}

/** Reads the fixed header's flags and the body into `fields`. The topic's characters are checked by whoever reads them. */
export function decodePublish(
  firstByte: number,
  buffer: Buffer,
  start: number,
  end: number,
  protocolVersion: ProtocolVersion,
  fields: PublishFields,
): void {
  const qos = (firstByte >> 1) & 3;
  if (qos === 3) throw malformed('PUBLISH has QoS 3'); // [MQTT-3.3.1-4]
  fields.duplicate = (firstByte & 0x08) !== 0;
  if (fields.duplicate && qos === 0) throw malformed('PUBLISH with QoS 0 has the DUP flag'); // [MQTT-3.3.1-2]
  fields.qos = qos as QoS;
  fields.retain = (firstByte & 0x01) !== 0;
  if (start + 2 > end) throw malformed('PUBLISH ends before its topic');
  fields.topicStart = start + 2;
  let position = start + 2 + ((buffer[start]! << 8) | buffer[start + 1]!);
  if (position > end) throw malformed('PUBLISH ends in the middle of its topic');
  fields.topicEnd = position;
  fields.packetId = 0;
  if (qos !== 0) {
    if (position + 2 > end) throw malformed('PUBLISH ends before its packet identifier');
    fields.packetId = (buffer[position]! << 8) | buffer[position + 1]!;
    if (fields.packetId === 0) throw protocolViolation('PUBLISH has packet identifier 0'); // [MQTT-2.2.1-3]
    position += 2;
  }
  fields.properties = NO_PROPERTIES;
  if (protocolVersion === 5) {
    if (position < end && buffer[position] === 0) position += 1;
    else position = readPublishProperties(buffer, position, end, fields);
  }
  // 3.3.2.3.4: no topic and no alias is a protocol error; MQTT 3.1.1 [MQTT-4.7.3-1]: no topic is malformed.
  if (fields.topicEnd === fields.topicStart && fields.properties.topicAlias === undefined) {
    throw protocolVersion === 5
      ? protocolViolation('PUBLISH has neither topic nor alias')
      : malformed('PUBLISH has no topic');
  }
  fields.payloadStart = position;
  fields.payloadEnd = end;
}

function readPublishProperties(buffer: Buffer, position: number, end: number, fields: PublishFields): number {
  const reader = new PacketReader(buffer, position, end);
  fields.properties = readProperties(reader, 'publish');
  return reader.position;
}

export interface OutgoingPublish {
  readonly protocolVersion: ProtocolVersion;
  readonly packetId: number;
  readonly duplicate: boolean;
  /** 0 = none. */
  readonly topicAlias: number;
  /** The alias is known to the client already: the topic is left out. */
  readonly topicKnown: boolean;
  readonly nowMs: number;
}

/** The bytes of a PUBLISH to a subscriber. */
export function encodePublish(delivery: Delivery, outgoing: OutgoingPublish): Buffer {
  const { message } = delivery;
  const topicBytes = outgoing.topicKnown ? 0 : Buffer.byteLength(message.topic);
  const ownProperties = outgoing.protocolVersion === 5 ? encodeOwnProperties(delivery, outgoing) : NONE;
  const propertiesLength = ownProperties.length + message.properties.length;
  const propertyBytes = outgoing.protocolVersion === 5 ? variableLength(propertiesLength) + propertiesLength : 0;
  const length = 2 + topicBytes + (delivery.qos > 0 ? 2 : 0) + propertyBytes + message.payload.length;
  const packet = Buffer.allocUnsafe(1 + variableLength(length) + length);
  packet[0] = 0x30 | (outgoing.duplicate ? 8 : 0) | (delivery.qos << 1) | (delivery.retain ? 1 : 0);
  let position = writeVariable(packet, 1, length);
  position = packet.writeUInt16BE(topicBytes, position);
  if (topicBytes > 0) position += packet.write(message.topic, position);
  if (delivery.qos > 0) position = packet.writeUInt16BE(outgoing.packetId, position);
  if (outgoing.protocolVersion === 5) {
    position = writeVariable(packet, position, propertiesLength);
    packet.set(ownProperties, position);
    position += ownProperties.length;
    packet.set(message.properties, position);
    position += message.properties.length;
  }
  packet.set(message.payload, position);
  return packet;
}

const NONE = Buffer.alloc(0);

/** Those that are this subscriber's own; what the publisher gave stands behind them. */
function encodeOwnProperties(delivery: Delivery, outgoing: OutgoingPublish): Buffer {
  const { message, subscriptionIdentifiers } = delivery;
  const expires = message.expiresAtMs !== Number.POSITIVE_INFINITY;
  if (!expires && outgoing.topicAlias === 0 && subscriptionIdentifiers.length === 0) return NONE;
  const bytes = Buffer.allocUnsafe(5 + 3 + 5 * subscriptionIdentifiers.length);
  let position = 0;
  if (expires) {
    bytes[position] = 2;
    // [MQTT-3.3.2-6]: what is left of the expiry interval.
    const leftS = Math.max(0, Math.ceil((message.expiresAtMs - outgoing.nowMs) / 1000));
    position = bytes.writeUInt32BE(leftS, position + 1);
  }
  if (outgoing.topicAlias > 0) {
    bytes[position] = 35;
    position = bytes.writeUInt16BE(outgoing.topicAlias, position + 1);
  }
  for (const identifier of subscriptionIdentifiers) {
    bytes[position] = 11;
    position = writeVariable(bytes, position + 1, identifier);
  }
  return bytes.subarray(0, position);
}

function variableLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}

function writeVariable(buffer: Buffer, position: number, value: number): number {
  let rest = value;
  let at = position;
  while (rest >= 0x80) {
    buffer[at++] = (rest & 0x7f) | 0x80;
    rest >>= 7;
  }
  buffer[at++] = rest;
  return at;
}
