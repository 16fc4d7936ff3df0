/** DISCONNECT (MQTT 5, 3.14), both ways. To MQTT 3.1.1 clients a server sends none: it closes. */
import { generate } from 'mqtt-packet';
import type { ProtocolVersion } from '../message.ts';
import type { PacketReader } from './packet-reader.ts';
import { readProperties } from './properties.ts';
import { protocolViolation } from './protocol-error.ts';
import { REASON } from './reason-codes.ts';

export interface DisconnectPacket {
  readonly reasonCode: number;
  readonly sessionExpiryIntervalS: number | null;
}

/** What a client may say (3.14.2.1). */
const REASON_CODES = new Set([0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]);

export function decodeDisconnect(reader: PacketReader, protocolVersion: ProtocolVersion): DisconnectPacket {
  let reasonCode: number = REASON.success;
  let sessionExpiryIntervalS: number | null = null;
  if (protocolVersion === 5 && reader.remaining > 0) {
    reasonCode = reader.byte();
    if (!REASON_CODES.has(reasonCode)) throw protocolViolation(`DISCONNECT has reason code ${reasonCode}`); // [MQTT-3.14.2-1]
    if (reader.remaining > 0)
      sessionExpiryIntervalS = readProperties(reader, 'disconnect').sessionExpiryInterval ?? null;
  }
  reader.finish('DISCONNECT');
  return { reasonCode, sessionExpiryIntervalS };
}

/** DISCONNECT to an MQTT 5 client. The reason in words is left out where it is empty or the packet would be too large for it. */
export function encodeDisconnect(reasonCode: number, reason: string, packetBytesMax: number): Buffer {
  const packet = generate(
    { cmd: 'disconnect', reasonCode, properties: { reasonString: reason } },
    { protocolVersion: 5 },
  );
  // [MQTT-3.14.2-3]
  return reason !== '' && packet.length <= packetBytesMax ? packet : Buffer.from([0xe0, 1, reasonCode]);
}
