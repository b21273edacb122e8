import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findCommand, systemEnvironment } from './project.mjs';

/**
 * A line of debian-packages.txt.
 * @typedef {{ name: string, command: string, purposes: string[], use: string }} DebianPackage
 */

/**
 * Installs the Debian packages that `purpose` wants and the machine lacks, where it may (root, apt-get). What is
 * then still missing is named and no error: the tests that need it are skipped with that reason.
 * @param {string} purpose
 * @param {DebianPackage[]} packages
 */
export function installDebianPackages(purpose, packages = listedPackages()) {
  const wanted = packages.filter(({ purposes }) => purposes.includes(purpose));
  const missing = wanted.filter(isMissing);
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && findCommand('apt-get')) install(missing.map(({ name }) => name));
  const left = missing.filter(isMissing);
  if (left.length > 0) console.log(adviceFor(left));
}

/**
 * The lines of `text`: package, a command or (an absolute path) a file that it brings, purposes, and what it is used for.
 * @param {string} text
 * @returns {DebianPackage[]}
 */
export function parsePackages(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [name = '', command = '', purposes = '', ...use] = line.trim().split(/\s+/);
    return { name, command, purposes: purposes.split(','), use: use.join(' ') };
  });
}

function listedPackages() {
  return parsePackages(readFileSync(new URL('./debian-packages.txt', import.meta.url), 'utf8'));
}

/** @param {DebianPackage} wanted */
function isMissing({ command }) {
  return command.startsWith('/') ? !existsSync(command) : findCommand(command) === undefined;
}

/** @param {string[]} names */
function install(names) {
  console.log(`setup: installing Debian packages: ${names.join(' ')} …`);
  const update = ['update', '-q'];
  const add = ['install', '-q', '-y', '--no-install-recommends', ...names];
  // Mirrors drop a connection now and then: once more before giving up.
  if (!(aptGet(update) && aptGet(add))) void (aptGet(update) && aptGet(add));
}

/** @param {string[]} command */
function aptGet(command) {
  const options = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::http::Timeout=30'];
  const { status, stderr } = spawnSync('apt-get', [...options, ...command], {
    env: { ...systemEnvironment(), DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) console.error(`setup: apt-get ${command[0]} failed: ${stderr?.trim().split('\n').at(-1) ?? ''}`);
  return status === 0;
}

/** @param {DebianPackage[]} missing */
function adviceFor(missing) {
  const names = missing.map(({ name }) => name).join(' ');
  const uses = missing.map(({ name, use }) => `${name} (${use})`).join(', ');
  return `setup: going on without ${uses}; to have them: sudo apt-get install --no-install-recommends ${names}`;
}
