/** PUBCOMP (MQTT 5, 3.7) from a client: a subscriber has finished with a QoS 2 message. */
import type { ProtocolVersion } from '../message.ts';
import { type Acknowledgement, decodeAcknowledgement } from './acknowledgement.ts';
import type { PacketReader } from './packet-reader.ts';

const REASON_CODES = new Set([0x00, 0x92]);

export function decodePubcomp(reader: PacketReader, protocolVersion: ProtocolVersion): Acknowledgement {
  return decodeAcknowledgement(reader, protocolVersion, 'PUBCOMP', REASON_CODES);
}
