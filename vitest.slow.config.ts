import { defineConfig } from 'vitest/config';

/** The slower suites: stock clients, PostgreSQL, Chromium, kills. They need what `.ci/run` installs. */
export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.slow.test.ts', 'tests/**/*.slow.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
