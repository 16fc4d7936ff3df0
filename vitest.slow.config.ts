import { defineConfig } from 'vitest/config';

/** The slower suites: stock clients, PostgreSQL, Chromium, kills. They need what `.ci/run` installs. */
export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.slow.test.ts', 'tests/**/*.slow.test.ts'],
    // Chance comes from one seed, so that a test that fails fails again; TEST_SEED tries another one.
    env: { TEST_SEED: process.env.TEST_SEED ?? '1' },
    setupFiles: ['tests/support/seeded-properties.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
