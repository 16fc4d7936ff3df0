/** The seed of a run: TEST_SEED, or a new one, so that each measurement meets other chances. Say it: it brings them again. */
export function seedOfRun(): number {
  const { TEST_SEED } = process.env;
  return TEST_SEED === undefined ? Date.now() % 1_000_000 : Number(TEST_SEED);
}
