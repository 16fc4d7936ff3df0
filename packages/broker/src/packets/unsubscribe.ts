/** UNSUBSCRIBE (MQTT 5, 3.10). */
import type { ProtocolVersion } from '../message.ts';
import { parseFilter } from '../router/topic.ts';
import type { PacketReader } from './packet-reader.ts';
import { readProperties } from './properties.ts';
import { protocolViolation } from './protocol-error.ts';

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}

export function decodeUnsubscribe(reader: PacketReader, protocolVersion: ProtocolVersion): UnsubscribePacket {
  const packetId = reader.uint16();
  if (packetId === 0) throw protocolViolation('UNSUBSCRIBE has packet identifier 0'); // [MQTT-2.2.1-3]
  if (protocolVersion === 5) readProperties(reader, 'unsubscribe');
  const filters: string[] = [];
  while (reader.remaining > 0) {
    const filter = reader.string();
    parseFilter(filter);
    filters.push(filter);
  }
  if (filters.length === 0) throw protocolViolation('UNSUBSCRIBE has no topic filter'); // [MQTT-3.10.3-2]
  return { packetId, filters };
}
