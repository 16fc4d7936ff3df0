/** PINGREQ and its answer (MQTT 5, 3.12 and 3.13). */
import type { PacketReader } from './packet-reader.ts';

export function decodePingreq(reader: PacketReader): void {
  reader.finish('PINGREQ');
}

export const PINGRESP = Buffer.from([0xd0, 0x00]);
