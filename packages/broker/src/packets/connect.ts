/** CONNECT (MQTT 5, 3.1; MQTT 3.1.1, 3.1): who is there, what it wants, and its will. */
import type { ProtocolVersion, QoS } from '../message.ts';
import { checkTopicName } from '../router/topic.ts';
import type { PacketReader } from './packet-reader.ts';
import { forwardedBytes, NO_PROPERTIES, type Properties, readProperties } from './properties.ts';
import { malformed, ProtocolError } from './protocol-error.ts';
import { REASON } from './reason-codes.ts';

export interface WillFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Readonly<Properties>;
  /** Those of them that go on with the message. */
  readonly forwarded: Uint8Array;
}

export interface ConnectPacket {
  readonly protocolVersion: ProtocolVersion;
  /** Clean Start in MQTT 5, Clean Session in 3.1.1. */
  readonly clean: boolean;
  readonly keepAliveS: number;
  readonly clientId: string;
  readonly properties: Readonly<Properties>;
  readonly will: WillFields | null;
  readonly userName: string | undefined;
  readonly password: Buffer | undefined;
}

/** A CONNECT that is refused before it is understood; says in which version the answer is to be written. */
export class ConnectError extends ProtocolError {
  readonly protocolVersion: ProtocolVersion;

  constructor(protocolVersion: ProtocolVersion, cause: ProtocolError) {
    super(cause.reasonCode, cause.message);
    this.protocolVersion = protocolVersion;
  }
}

/** Decodes the body. Throws a ConnectError once the version is known, else a ProtocolError. */
export function decodeConnect(reader: PacketReader): ConnectPacket {
  const protocolVersion = readVersion(reader);
  try {
    return readRest(reader, protocolVersion);
  } catch (error) {
    throw error instanceof ProtocolError ? new ConnectError(protocolVersion, error) : error;
  }
}

function readVersion(reader: PacketReader): ProtocolVersion {
  const name = reader.string();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw malformed('the protocol name is not MQTT'); // [MQTT-3.1.2-1]
  const level = reader.byte();
  if (name === 'MQTT' && (level === 4 || level === 5)) return level;
  const cause = new ProtocolError(
    REASON.unsupportedProtocolVersion,
    `protocol ${name} level ${level} is not spoken here; use MQTT 3.1.1 or 5`,
  );
  throw new ConnectError(level > 5 ? 5 : 4, cause); // [MQTT-3.1.2-2]
}

function readRest(reader: PacketReader, protocolVersion: ProtocolVersion): ConnectPacket {
  const flags = reader.byte();
  checkFlags(flags, protocolVersion);
  const keepAliveS = reader.uint16();
  const properties = protocolVersion === 5 ? readProperties(reader, 'connect') : NO_PROPERTIES;
  const clientId = reader.string();
  const will = (flags & 0x04) === 0 ? null : readWill(reader, flags, protocolVersion);
  const userName = (flags & 0x80) === 0 ? undefined : reader.string();
  const password = (flags & 0x40) === 0 ? undefined : reader.binary();
  reader.finish('CONNECT');
  return { protocolVersion, clean: (flags & 0x02) !== 0, keepAliveS, clientId, properties, will, userName, password };
}

/** bit 7 user name | 6 password | 5 will retain | 4-3 will QoS | 2 will | 1 clean | 0 reserved */
function checkFlags(flags: number, protocolVersion: ProtocolVersion): void {
  if ((flags & 0x01) !== 0) throw malformed('the reserved connect flag is set'); // [MQTT-3.1.2-3]
  if ((flags & 0x18) === 0x18) throw malformed('the will has QoS 3'); // [MQTT-3.1.2-12]
  if ((flags & 0x04) === 0 && (flags & 0x38) !== 0) throw malformed('will QoS or will retain without a will'); // [MQTT-3.1.2-11], [-13]
  // MQTT 3.1.1 [MQTT-3.1.2-22]; MQTT 5 allows a password by itself (3.1.2.9).
  if (protocolVersion === 4 && (flags & 0xc0) === 0x40) throw malformed('a password without a user name');
}

function readWill(reader: PacketReader, flags: number, protocolVersion: ProtocolVersion): WillFields {
  const properties = protocolVersion === 5 ? readProperties(reader, 'will') : NO_PROPERTIES;
  const topic = reader.string();
  checkTopicName(topic);
  const payload = new Uint8Array(reader.binary());
  const forwarded = forwardedBytes(reader.buffer, properties);
  return { topic, payload, qos: ((flags >> 3) & 3) as QoS, retain: (flags & 0x20) !== 0, properties, forwarded };
}
