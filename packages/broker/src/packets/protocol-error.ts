/** The only error that the decoders throw: what was wrong, with the MQTT 5 reason code that answers it. */
import { REASON } from './reason-codes.ts';

export class ProtocolError extends Error {
  readonly reasonCode: number;

  constructor(reasonCode: number, message: string) {
    super(message);
    this.name = 'ProtocolError';
    this.reasonCode = reasonCode;
  }
}

/** MQTT 5, 1.2: a packet that cannot be parsed according to the specification. */
export function malformed(message: string): ProtocolError {
  return new ProtocolError(REASON.malformedPacket, message);
}

/** MQTT 5, 1.2: a packet that parses but says what the protocol does not allow. */
export function protocolViolation(message: string): ProtocolError {
  return new ProtocolError(REASON.protocolError, message);
}
