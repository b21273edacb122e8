import type { Checks } from './run-checks.ts';

/** What `npm run check` runs besides the layering test, which `npm test` runs among the tests. */
export const sourceChecks: Checks = {
  types: ['tsc', '--noEmit'],
  'lint and format': ['biome', 'check'],
  'dead code': ['knip', '--no-progress'],
};

/** The rules that src/tidy.test.ts holds the source to. */
export const tidyCheck: Checks = {
  'layering and habits': ['node', '--test', '--test-reporter=spec', 'src/tidy.test.ts'],
};

/** Makes dist/ anew, which the tests of the package and of ./varve run. */
export const buildCheck: Checks = { build: ['node', 'scripts/setup.mjs', 'build'] };
