/** AUTH (MQTT 5, 3.15). Enhanced authentication is not offered: CONNECT with a method is refused with 0x8C, AUTH is a violation. */
import type { PacketReader } from './packet-reader.ts';
import { readProperties } from './properties.ts';
import { protocolViolation } from './protocol-error.ts';

const REASON_CODES = new Set([0x18, 0x19]);

/** Always throws a ProtocolError: malformed where it is, else 0x82, since no exchange can be under way. */
export function refuseAuth(reader: PacketReader): never {
  if (reader.remaining > 0) {
    const reasonCode = reader.byte();
    if (!REASON_CODES.has(reasonCode)) throw protocolViolation(`AUTH has reason code ${reasonCode}`); // [MQTT-3.15.2-1]
    if (reader.remaining > 0) readProperties(reader, 'auth');
    reader.finish('AUTH');
  }
  throw protocolViolation('AUTH without an authentication method in CONNECT'); // [MQTT-4.12.0-6]
}
