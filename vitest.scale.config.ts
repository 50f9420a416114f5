/** The suites of many: minutes each, on servers of their own. `npm run test:scale`. */
import { defineConfig, mergeConfig } from 'vitest/config';
import common from './vitest.config.js';

const { test, ...rest } = common;

export default mergeConfig(
  { ...rest, test: { ...test, include: [], exclude: ['node_modules/**'], reporters: [] } },
  defineConfig({
    test: {
      include: ['test/scale/**/*.test.ts'],
      reporters: ['default', ['json', { outputFile: 'test-results/scale.json' }]],
    },
  }),
);
