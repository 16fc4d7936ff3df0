/**
 * Chance that comes again: the same seed gives the same numbers, from 0 up to but not including 1. For tests, simulated plants
 * and measurements; never for secrets. The generator is Tommy Ettinger's mulberry32: 32 bits of state, each number used once.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
