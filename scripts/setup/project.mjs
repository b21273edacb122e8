import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's root directory. */
export const projectDirectory = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Node as the project's scripts call it: the one that the npm package `node` brings. */
export const runtimePath = join(projectDirectory, 'node_modules/.bin/node');

/**
 * `PATH` without the clone's own node_modules, whose `node` vanishes while npm reinstalls it, and with the
 * directories for administrators, which Debian leaves out for everybody else and where mke2fs lives.
 * @returns {string[]} directories
 */
function systemPath() {
  const own = join(projectDirectory, 'node_modules') + sep;
  const directories = (process.env.PATH ?? '').split(delimiter).filter((directory) => !directory.startsWith(own));
  return [...new Set([...directories, '/usr/sbin', '/sbin'])];
}

/**
 * Where the system has a command, or undefined when it has none.
 * @param {string} command
 * @returns {string | undefined}
 */
export function findCommand(command) {
  return systemPath()
    .map((directory) => join(directory, command))
    .find(isExecutable);
}

/**
 * The environment for npm and for the programs that a set-up runs.
 * @returns {NodeJS.ProcessEnv}
 */
export function systemEnvironment() {
  return { ...process.env, PATH: systemPath().join(delimiter) };
}

/**
 * The Node that was there before the project brought its own.
 * @returns {string}
 */
export function systemNode() {
  return findCommand('node') ?? realpathSync(process.execPath);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
