import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory, runtimePath, systemEnvironment, systemNode } from './project.mjs';
import { SetupError } from './setup-error.mjs';

const packageDirectory = join(projectDirectory, 'node_modules/node');

/**
 * Sees to it that node_modules/.bin/node is a Node that the project runs on. The npm package `node` fetches it in an
 * install script; where npm was told to ignore those, this does what the script does, and where that fails too, it
 * links to the system's Node if that is new enough.
 */
export function installRuntime() {
  if (isNewEnough(runtimePath)) return;
  console.log('setup: fetching the Node runtime …');
  fetchRuntime();
  if (isNewEnough(runtimePath)) return;
  link(systemNode());
  if (isNewEnough(runtimePath)) return;
  rmSync(runtimePath, { force: true });
  throw new SetupError(
    `cannot get Node ${wantedMajor()}: its npm package did not install (see above). ` +
      `Try "npm ci --ignore-scripts=false", or install Node ${wantedMajor()} from https://nodejs.org, and start again`,
  );
}

function fetchRuntime() {
  const script = 'installArchSpecificPackage.js';
  if (!existsSync(join(packageDirectory, script))) return;
  spawnSync(systemNode(), [script], {
    cwd: packageDirectory,
    // The script runs npm itself. It must not take this project's settings for its own.
    env: {
      ...systemEnvironment(),
      npm_config_loglevel: 'error',
      npm_config_ignore_scripts: 'false',
      npm_config_update_notifier: 'false',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  link('../node/bin/node');
}

/** @param {string} target */
function link(target) {
  rmSync(runtimePath, { force: true });
  symlinkSync(target, runtimePath);
}

/** @param {string} node */
function isNewEnough(node) {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) >= wantedMajor();
}

function wantedMajor() {
  const { engines } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8'));
  return Number(/\d+/.exec(engines.node)?.[0]);
}
