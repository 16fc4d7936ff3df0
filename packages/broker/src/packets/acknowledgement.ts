/**
 * What PUBACK, PUBREC, PUBREL and PUBCOMP share (MQTT 5, 3.4-3.7): packet id, then in MQTT 5 an optional reason code
 * and properties. In MQTT 3.1.1 there are exactly two bytes. Outgoing ones are written straight into a buffer.
 */
import { generate } from 'mqtt-packet';
import type { ProtocolVersion } from '../message.ts';
import type { PacketReader } from './packet-reader.ts';
import { readProperties } from './properties.ts';
import { protocolViolation } from './protocol-error.ts';
import { REASON } from './reason-codes.ts';

export interface Acknowledgement {
  readonly packetId: number;
  readonly reasonCode: number;
}

export function decodeAcknowledgement(
  reader: PacketReader,
  protocolVersion: ProtocolVersion,
  name: string,
  reasonCodes: ReadonlySet<number>,
): Acknowledgement {
  const packetId = reader.uint16();
  if (packetId === 0) throw protocolViolation(`${name} has packet identifier 0`); // [MQTT-2.2.1-3]
  let reasonCode: number = REASON.success;
  if (protocolVersion === 5 && reader.remaining > 0) {
    reasonCode = reader.byte();
    if (!reasonCodes.has(reasonCode)) throw protocolViolation(`${name} has reason code ${reasonCode}`); // [MQTT-3.4.2-1]
    if (reader.remaining > 0) readProperties(reader, 'acknowledgement');
  }
  reader.finish(name);
  return { packetId, reasonCode };
}

/** Bytes that writeAcknowledgement() writes at most. */
export const ACKNOWLEDGEMENT_BYTES_MAX = 5;

/** Writes an acknowledgement of this packet type; returns the position behind it. The reason is left out at success. */
export function writeAcknowledgement(
  buffer: Buffer,
  position: number,
  packetType: number,
  packetId: number,
  reasonCode: number,
  protocolVersion: ProtocolVersion,
): number {
  const withReason = reasonCode !== 0 && protocolVersion === 5;
  buffer[position] = (packetType << 4) | (packetType === 6 ? 2 : 0); // PUBREL carries flags 0010 [MQTT-3.6.1-1]
  buffer[position + 1] = withReason ? 3 : 2;
  buffer[position + 2] = packetId >> 8;
  buffer[position + 3] = packetId & 0xff;
  if (!withReason) return position + 4;
  buffer[position + 4] = reasonCode;
  return position + 5;
}

const COMMANDS = { 4: 'puback', 5: 'pubrec', 6: 'pubrel', 7: 'pubcomp' } as const;

/** An MQTT 5 acknowledgement that says why in words; without them where it would be over packetBytesMax [MQTT-3.4.2-2]. */
export function encodeExplained(
  packetType: number,
  packetId: number,
  reasonCode: number,
  reason: string,
  packetBytesMax: number,
): Buffer {
  const cmd = COMMANDS[packetType as keyof typeof COMMANDS];
  const packet = generate(
    { cmd, messageId: packetId, reasonCode, properties: { reasonString: reason } },
    { protocolVersion: 5 },
  );
  if (packet.length <= packetBytesMax) return packet;
  const bare = Buffer.allocUnsafe(ACKNOWLEDGEMENT_BYTES_MAX);
  return bare.subarray(0, writeAcknowledgement(bare, 0, packetType, packetId, reasonCode, 5));
}
