/**
 * Payload bytes as text, for the codecs whose payloads are text. Empty, oversized and badly encoded payloads are refused
 * before anything is parsed. A byte order mark at the front is tolerated and left out.
 */
import { DecodeError, type DecodeLimits } from './codec.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The payload as a string. Throws PAYLOAD_EMPTY, PAYLOAD_OVER_LIMIT or PAYLOAD_NOT_DECODABLE (not UTF-8). */
export function payloadText(payload: Uint8Array, limits: DecodeLimits): string {
  checkPayloadSize(payload, limits);
  try {
    return utf8.decode(payload);
  } catch {
    throw new DecodeError('PAYLOAD_NOT_DECODABLE', `the payload of ${payload.length} bytes is not valid UTF-8`);
  }
}

/** Refuses an empty payload and one above payloadBytesMax. */
export function checkPayloadSize(payload: Uint8Array, limits: DecodeLimits): void {
  if (payload.length === 0) throw new DecodeError('PAYLOAD_EMPTY', 'the payload has no bytes');
  if (payload.length > limits.payloadBytesMax) {
    throw new DecodeError(
      'PAYLOAD_OVER_LIMIT',
      `the payload has ${payload.length} bytes, the limit is ${limits.payloadBytesMax}; send smaller messages`,
    );
  }
}

/** Something of the payload for a message: quoted, control characters escaped, at most 60 characters of it. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
