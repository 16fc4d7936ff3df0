/** Identifiers: UUIDs for resources (version 7, so that they sort by the time they were made), slugs for people. */
import { randomFillSync } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const random = new Uint8Array(10);

/** A new UUID version 7 (RFC 9562, 5.7), lower case. */
export function newId(nowMs: number = Date.now()): string {
  randomFillSync(random);
  const time = nowMs.toString(16).padStart(12, '0');
  const hex = Buffer.from(random.buffer, random.byteOffset, 10).toString('hex');
  const variant = (8 + (random[2]! & 3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(1, 4)}-${variant}${hex.slice(5, 8)}-${hex.slice(8, 20)}`;
}

/** True for a lower-case UUID of any version. */
export function isId(value: string): boolean {
  return UUID.test(value);
}

/** What a device may be called on the wire beside its id: 1 to 128 letters, digits, '_', '-', '.', ':'. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;

/** True for a device key: safe as an MQTT topic level, a file name and a URL segment. */
export function isKey(value: string): boolean {
  return KEY.test(value);
}
