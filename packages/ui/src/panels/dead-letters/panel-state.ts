/** What the dead-letter list shows: filters and the open letter in its address; payload bytes as text or hex. No React. */

export interface DeadLetterSearch {
  readonly code?: string;
  readonly device?: string;
  /** The letter that is looked at. */
  readonly letter?: string;
}

/** Reads the address; what it does not understand is as if it were not there. */
export function readDeadLetterSearch(search: Record<string, unknown>): DeadLetterSearch {
  const text = (value: unknown): string | undefined =>
    (typeof value === 'string' || typeof value === 'number') && String(value) !== '' ? String(value) : undefined;
  const code = text(search.code);
  const device = text(search.device);
  const letter = text(search.letter);
  return {
    ...(code === undefined ? {} : { code }),
    ...(device === undefined ? {} : { device }),
    ...(letter !== undefined && /^\d{1,6}-\d{1,16}$/.test(letter) ? { letter } : {}),
  };
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Text if the bytes are UTF-8 (JSON indented), else null. */
export function asText(bytes: Uint8Array): string | null {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null; // Not text: the hex view is for that.
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters tell that it is binary
  if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // Text, but not JSON; often that is why it is here.
  }
}

export const HEX_BYTES_MAX = 4096;

/** Offset, sixteen bytes in hex, and as letters; the first HEX_BYTES_MAX bytes. */
export function asHex(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let offset = 0; offset < Math.min(bytes.length, HEX_BYTES_MAX); offset += 16) {
    const row = [...bytes.subarray(offset, offset + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${offset.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${letters}`);
  }
  if (bytes.length > HEX_BYTES_MAX) lines.push(`… ${bytes.length - HEX_BYTES_MAX} more bytes`);
  return lines.join('\n');
}
