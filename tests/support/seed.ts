/** The seed of a run: FIELDLINE_SEED, or a new one, so that each measurement meets other chances. Say it: it brings them again. */
export function seedOfRun(): number {
  const { FIELDLINE_SEED } = process.env;
  return FIELDLINE_SEED === undefined ? Date.now() % 1_000_000 : Number(FIELDLINE_SEED);
}
