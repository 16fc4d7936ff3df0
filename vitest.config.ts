import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/src/**/*.test.tsx',
      'tests/**/*.test.ts',
      'tools/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/*.slow.test.ts'],
    // Chance comes from one seed, so that a test that fails fails again; TEST_SEED tries another one.
    env: { TEST_SEED: process.env.TEST_SEED ?? '1' },
    setupFiles: ['tests/support/seeded-properties.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
