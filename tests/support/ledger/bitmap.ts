/** A set of whole numbers from 0 on, one bit each, in blocks that are made as they are needed: 14 million take 2 MB. */

const BLOCK_BITS = 65_536;

export class Bitmap {
  readonly #blocks: (Uint8Array | undefined)[] = [];
  #size = 0;

  /** How many numbers are in it. */
  get size(): number {
    return this.#size;
  }

  /** True where the number was not in it before. */
  add(number: number): boolean {
    const index = Math.floor(number / BLOCK_BITS);
    this.#blocks[index] ??= new Uint8Array(BLOCK_BITS / 8);
    const block = this.#blocks[index];
    const bit = number % BLOCK_BITS;
    const mask = 1 << (bit & 7);
    if ((block[bit >> 3]! & mask) !== 0) return false;
    block[bit >> 3]! |= mask;
    this.#size += 1;
    return true;
  }

  has(number: number): boolean {
    const bit = number % BLOCK_BITS;
    return ((this.#blocks[Math.floor(number / BLOCK_BITS)]?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }
}
