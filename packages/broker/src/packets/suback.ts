/** SUBACK (MQTT 5, 3.9): one code per filter, in the order of the SUBSCRIBE. In MQTT 3.1.1 every refusal is 0x80. `reason`: why, in words. */
import { generate } from 'mqtt-packet';
import type { ProtocolVersion } from '../message.ts';

export function encodeSuback(
  packetId: number,
  reasonCodes: readonly number[],
  protocolVersion: ProtocolVersion,
  reason = '',
): Buffer {
  const granted = protocolVersion === 5 ? [...reasonCodes] : reasonCodes.map((code) => Math.min(code, 0x80));
  const properties = protocolVersion === 5 && reason !== '' ? { properties: { reasonString: reason } } : {};
  return generate({ cmd: 'suback', messageId: packetId, granted, ...properties }, { protocolVersion });
}
