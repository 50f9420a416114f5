import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Threads crash the native bridge of the Temporal SDK.
    pool: 'forks',
    maxWorkers: 2,
    include: ['**/*.test.ts'],
    // Suites of many run by themselves: vitest.scale.config.ts.
    exclude: ['node_modules/**', 'dist/**', 'test/scale/**'],
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Servers may take their time on a busy machine; a file that hangs is still ended.
    teardownTimeout: 60_000,
    reporters: ['default', ['json', { outputFile: 'test-results/report.json' }]],
  },
});
