/** PUBREC (MQTT 5, 3.5) from a client: a subscriber has a message of QoS 2. */
import type { ProtocolVersion } from '../message.ts';
import { type Acknowledgement, decodeAcknowledgement } from './acknowledgement.ts';
import type { PacketReader } from './packet-reader.ts';

const REASON_CODES = new Set([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);

export function decodePubrec(reader: PacketReader, protocolVersion: ProtocolVersion): Acknowledgement {
  return decodeAcknowledgement(reader, protocolVersion, 'PUBREC', REASON_CODES);
}
