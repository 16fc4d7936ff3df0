/**
 * Metric names as they stand on the wire, turned into strings once: devices send the same few names again and again, and a
 * string that is met again is cheaper to look up downstream than a new one. A cache, not state: it changes no result.
 *
 * Full: a name takes the slot of another with the same hash. Names longer than NAME_BYTES_MAX are not kept.
 */
const SLOTS = 4096;
const NAME_BYTES_MAX = 64;

export class MetricNames {
  readonly #names: (string | undefined)[] = new Array<string | undefined>(SLOTS);
  readonly #bytes = new Uint8Array(SLOTS * NAME_BYTES_MAX);
  readonly #lengths = new Uint8Array(SLOTS);

  /** The string for bytes[start, end); `decode` makes it when it is not at hand. */
  get(bytes: Uint8Array, start: number, end: number, decode: (start: number, end: number) => string): string {
    const length = end - start;
    if (length > NAME_BYTES_MAX) return decode(start, end);
    const slot = slotOf(bytes, start, end);
    const known = this.#names[slot];
    if (known !== undefined && this.#lengths[slot] === length && this.#sameBytes(slot, bytes, start, length))
      return known;
    const name = decode(start, end);
    this.#names[slot] = name;
    this.#lengths[slot] = length;
    this.#bytes.set(bytes.subarray(start, end), slot * NAME_BYTES_MAX);
    return name;
  }

  #sameBytes(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
    const kept = slot * NAME_BYTES_MAX;
    for (let index = 0; index < length; index++) {
      if (this.#bytes[kept + index] !== bytes[start + index]) return false;
    }
    return true;
  }
}

/** FNV-1a over the bytes. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}
