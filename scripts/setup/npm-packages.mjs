import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, projectDirectory, systemEnvironment, systemNode } from './project.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * A package in a lock file: what is compared of it.
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, dev?: boolean }} LockedPackage
 * @typedef {Record<string, LockedPackage>} LockedPackages
 */

/** Runs `npm ci` unless node_modules holds what package-lock.json says. */
export function installNpmPackages() {
  if (npmPackagesAreCurrent()) return;
  console.log('setup: installing npm packages …');
  // Development packages even under NODE_ENV=production; no engine check: the Node that the project wants comes with it.
  const options = [
    '--include=dev',
    '--include=optional',
    '--engine-strict=false',
    '--loglevel=error',
    '--progress=false',
  ];
  const { command, prefix } = npmCommand();
  const { status, error } = spawnSync(command, [...prefix, 'ci', ...options], {
    cwd: projectDirectory,
    env: systemEnvironment(),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (error) throw new SetupError(`cannot run npm: ${error.message}; install Node with npm`);
  if (status !== 0) throw new SetupError('npm ci failed (see above); is the npm registry within reach?');
}

/**
 * The npm that runs this script where there is one, under a Node that stays while node_modules is replaced.
 * @returns {{ command: string, prefix: string[] }}
 */
function npmCommand() {
  const script = process.env.npm_execpath;
  if (script?.endsWith('npm-cli.js')) return { command: systemNode(), prefix: [script] };
  return { command: findCommand('npm') ?? 'npm', prefix: [] };
}

function npmPackagesAreCurrent() {
  try {
    const locked = readPackages('package-lock.json');
    // npm writes this one last, so it is missing after an installation that was broken off.
    const installed = readPackages('node_modules/.package-lock.json');
    return matches(locked, installed);
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @returns {LockedPackages}
 */
function readPackages(path) {
  return JSON.parse(readFileSync(join(projectDirectory, path), 'utf8')).packages;
}

/**
 * Whether everything locked is installed in its version, but for optional packages (of other platforms), and nothing
 * else is.
 * @param {LockedPackages} locked
 * @param {LockedPackages} installed
 */
export function matches(locked, installed) {
  const complete = Object.entries(locked).every(
    ([place, { optional }]) => place === '' || optional === true || place in installed,
  );
  const same = Object.entries(installed).every(([place, { version }]) => locked[place]?.version === version);
  return complete && same;
}
