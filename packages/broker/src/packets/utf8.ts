/** MQTT's strings: UTF-8 that is well formed, without U+0000 (MQTT 5, 1.5.4). Anything else is a malformed packet. */
import { isUtf8 } from 'node:buffer';
import { malformed } from './protocol-error.ts';

// fatal: surrogates and over-long forms are errors [MQTT-1.5.4-1]; ignoreBOM: U+FEFF is kept [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The string in bytes start to end (exclusive). Throws a ProtocolError (0x81) where it is not well formed. */
export function readUtf8(buffer: Buffer, start: number, end: number): string {
  if (isAscii(buffer, start, end)) return buffer.toString('latin1', start, end);
  try {
    return decoder.decode(buffer.subarray(start, end));
  } catch {
    throw malformed('a string is not well-formed UTF-8');
  }
}

/** Throws as readUtf8() does; makes no string. */
export function checkUtf8(buffer: Buffer, start: number, end: number): void {
  if (isAscii(buffer, start, end) || isUtf8(buffer.subarray(start, end))) return;
  throw malformed('a string is not well-formed UTF-8');
}

/** Throws where there is a U+0000. */
function isAscii(buffer: Buffer, start: number, end: number): boolean {
  let ascii = true;
  for (let index = start; index < end; index++) {
    const byte = buffer[index]!;
    if (byte === 0) throw malformed('a string contains U+0000'); // [MQTT-1.5.4-2]
    if (byte > 0x7f) ascii = false;
  }
  return ascii;
}
