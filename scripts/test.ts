/**
 * `npm test`: the checks and the build, then every test. `npm test -- FILE…` runs the tests of those files (or
 * patterns) alone. The skipped ones are listed at the end, each with its reason; one that gives none fails the run.
 */
import { buildCheck, sourceChecks } from './check/checks.ts';
import { runChecks } from './check/run-checks.ts';
import { developmentEnvironment, projectDirectory } from './project.ts';
import { runTests } from './test/run-tests.ts';

process.chdir(projectDirectory);
Object.assign(process.env, developmentEnvironment());

const patterns = process.argv.slice(2);
const clean = patterns.length > 0 || (await runChecks({ ...sourceChecks, ...buildCheck }));
const passed = await runTests(patterns.length > 0 ? patterns : ['src/**/*.test.ts', 'test/**/*.test.ts']);
if (!clean) console.log('\n✖ The checks before the tests found something: see the top, or npm run check.');
process.exitCode = clean && passed ? 0 : 1;
