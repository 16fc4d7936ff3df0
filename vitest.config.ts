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
    // Chance comes from one seed, so that a test that fails fails again; FIELDLINE_SEED tries another one.
    env: { FIELDLINE_SEED: process.env.FIELDLINE_SEED ?? '1' },
    setupFiles: ['tests/support/seeded-properties.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
