/**
 * Makes a clone ready to run: npm packages, the Node runtime, Debian packages, the build. Does only what is missing,
 * so it is quick and silent the second time. Plain JavaScript, because it runs before anything is installed, on
 * whatever Node the machine has (18 is enough).
 *
 *     node scripts/setup.mjs start | test | netboot | bench | check | build | package
 *
 * Nothing is built for a test or a check: what the compiler finds is then one result among the others.
 */
import { build } from './setup/build.mjs';
import { installDebianPackages } from './setup/debian-packages.mjs';
import { installNpmPackages } from './setup/npm-packages.mjs';
import { installRuntime } from './setup/runtime.mjs';
import { SetupError } from './setup/setup-error.mjs';

const purpose = process.argv[2] ?? 'start';
try {
  installNpmPackages();
  installRuntime();
  installDebianPackages(purpose);
  if (!['check', 'test', 'netboot'].includes(purpose)) await build({ force: purpose === 'build' });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
