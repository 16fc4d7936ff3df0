/**
 * The checksum that PostgreSQL keeps in each page of a table or index (storage/checksum_impl.h): 32 FNV-1a-like sums side by
 * side over the page's 32-bit words, with the field of the checksum itself taken as zero, mixed with the number of the block.
 *
 *   page  u64 lsn | u16 checksum | u16 flags | u16 lower | u16 upper | …       (8,192 bytes, little-endian)
 */

export const PAGE_BYTES = 8192;
const LANES = 32;
const PRIME = 16777619;
const WORDS = PAGE_BYTES / 4;
/** Word in whose low half the checksum stands. */
const CHECKSUM_WORD = 2;
const UPPER_WORD = 3;
const OFFSETS = Uint32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
);

/** True where the page is what was written; one that was never filled must be all zeros. */
export function isPageSound(page: Buffer, blockNumber: number): boolean {
  const words = new Uint32Array(page.buffer, page.byteOffset, WORDS);
  if (words[UPPER_WORD]! >>> 16 === 0) return words.every((word) => word === 0);
  return (words[CHECKSUM_WORD]! & 0xffff) === checksumOf(words, blockNumber);
}

function checksumOf(words: Uint32Array, blockNumber: number): number {
  const sums = OFFSETS.slice();
  for (let at = 0; at < WORDS; at++) {
    const word = at === CHECKSUM_WORD ? words[at]! & 0xffff0000 : words[at]!;
    sums[at % LANES] = mix(sums[at % LANES]!, word);
  }
  let result = 0;
  for (let lane = 0; lane < LANES; lane++) result ^= mix(mix(sums[lane]!, 0), 0);
  return (((result ^ blockNumber) >>> 0) % 65535) + 1;
}

function mix(sum: number, word: number): number {
  const mixed = sum ^ word;
  return Math.imul(mixed, PRIME) ^ (mixed >>> 17);
}
