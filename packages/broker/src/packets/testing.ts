/** For tests of decoders: runs one over hex and gives what came out or the reason code of the refusal; decodes any packet. */
import type { ProtocolVersion } from '../message.ts';
import { fromHex } from '../testing/harness.ts';
import { refuseAuth } from './auth.ts';
import { decodeConnect } from './connect.ts';
import { decodeDisconnect } from './disconnect.ts';
import { PACKET } from './frame.ts';
import { PacketReader } from './packet-reader.ts';
import { ProtocolError } from './protocol-error.ts';
import { decodePuback } from './puback.ts';
import { decodePublish, PublishFields } from './publish.ts';
import { decodeSubscribe } from './subscribe.ts';
import { decodeUnsubscribe } from './unsubscribe.ts';

export function decoded<T>(decode: (reader: PacketReader) => T, hex: string): T | string {
  const bytes = fromHex(hex);
  // Bytes around the body show a decoder that reads beyond it.
  const padded = Buffer.concat([Buffer.from([0xff, 0xff]), bytes, Buffer.from([0xff, 0xff])]);
  return outcome(() => decode(new PacketReader(padded, 2, 2 + bytes.length)));
}

/** 'refused 0x81' where a ProtocolError was thrown. */
export function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProtocolError) return `refused 0x${error.reasonCode.toString(16)}`;
    throw error;
  }
}

const fields = new PublishFields();

/** Decodes the body of a client's packet by its type. Throws a ProtocolError, else there is a bug. */
export function decodePacket(
  firstByte: number,
  buffer: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): void {
  const reader = new PacketReader(buffer, start, end);
  switch (firstByte >> 4) {
    case PACKET.connect:
      decodeConnect(reader);
      break;
    case PACKET.publish:
      decodePublish(firstByte, buffer, start, end, version, fields);
      if (fields.payloadStart > fields.payloadEnd) throw new Error('the payload ends before it begins');
      break;
    case PACKET.subscribe:
      decodeSubscribe(reader, version);
      break;
    case PACKET.unsubscribe:
      decodeUnsubscribe(reader, version);
      break;
    case PACKET.disconnect:
      decodeDisconnect(reader, version);
      break;
    case PACKET.auth:
      refuseAuth(reader);
      break;
    default:
      decodePuback(reader, version);
  }
}
