/** Writes packets in hex for the tables: every part is hex, spaces do not count, lengths are put in front. */
import { fromHex } from '../testing/harness.ts';

/** Fixed header and body. */
export function packet(firstByte: string, ...parts: string[]): string {
  const body = joined(parts);
  return firstByte + variable(body.length / 2) + body;
}

/** A property block with its length. */
export function properties(...parts: string[]): string {
  const block = joined(parts);
  return variable(block.length / 2) + block;
}

/** Length-prefixed bytes: a string that need not be well formed, or binary data. */
export function prefixed(hex: string): string {
  const bytes = joined([hex]);
  return (bytes.length / 2).toString(16).padStart(4, '0') + bytes;
}

export function variable(value: number): string {
  let rest = value;
  let hex = '';
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    hex += (rest > 0 ? byte | 0x80 : byte).toString(16).padStart(2, '0');
  } while (rest > 0);
  return hex;
}

/** The packet with its body cut after this many bytes, its remaining length put right. */
export function cut(hex: string, bodyBytes: number): string {
  const bytes = fromHex(hex);
  const headerBytes = headerLength(bytes);
  return packet(hex.slice(0, 2), bytes.toString('hex', headerBytes, headerBytes + bodyBytes));
}

export function bodyLength(hex: string): number {
  const bytes = fromHex(hex);
  return bytes.length - headerLength(bytes);
}

function headerLength(bytes: Buffer): number {
  let length = 1;
  while (bytes[length]! >= 0x80) length += 1;
  return length + 1;
}

function joined(parts: readonly string[]): string {
  return parts.join('').replaceAll(/\s/g, '');
}
