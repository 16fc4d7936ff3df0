/** UNSUBACK (MQTT 5, 3.11): one code per filter; in MQTT 3.1.1 the packet id alone. */
import { generate } from 'mqtt-packet';
import type { ProtocolVersion } from '../message.ts';

export function encodeUnsuback(
  packetId: number,
  reasonCodes: readonly number[],
  protocolVersion: ProtocolVersion,
): Buffer {
  return generate({ cmd: 'unsuback', messageId: packetId, granted: [...reasonCodes] }, { protocolVersion });
}
