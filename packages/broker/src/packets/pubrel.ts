/** PUBREL (MQTT 5, 3.6) from a client: a publisher lets the packet id of a QoS 2 message go. */
import type { ProtocolVersion } from '../message.ts';
import { type Acknowledgement, decodeAcknowledgement } from './acknowledgement.ts';
import type { PacketReader } from './packet-reader.ts';

const REASON_CODES = new Set([0x00, 0x92]);

export function decodePubrel(reader: PacketReader, protocolVersion: ProtocolVersion): Acknowledgement {
  return decodeAcknowledgement(reader, protocolVersion, 'PUBREL', REASON_CODES);
}
