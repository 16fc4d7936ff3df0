/** For the tables of decoder tests: runs a decoder over hex and gives what came out or the reason code of the refusal. */
import { fromHex } from '../testing/harness.ts';
import { PacketReader } from './packet-reader.ts';
import { ProtocolError } from './protocol-error.ts';

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
