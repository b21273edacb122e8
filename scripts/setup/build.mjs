import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceByBundle } from './browser-bundle.mjs';
import { bundleCommandLine } from './command-bundle.mjs';
import { projectDirectory, runtimePath } from './project.mjs';
import { SetupError } from './setup-error.mjs';

const output = join(projectDirectory, 'dist');
const cache = join(projectDirectory, '.cache');

/**
 * Emits dist/ from src/, unless it is newer than everything it is made from. The new one is made beside the old one
 * and takes its place when it is whole; dist/.built bears the time before the first source was read (./varve, too,
 * goes by that).
 */
export async function build({ force = false } = {}) {
  if (!force && isBuilt()) return;
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'build-'));
  try {
    writeFileSync(join(scratch, '.built'), '');
    compile(scratch);
    const { byteCount, fileCount } = await replaceByBundle(scratch);
    if (force) console.log(`dist/browser: ${Math.round(byteCount / 1000)} kB of JavaScript in ${fileCount} files`);
    await bundleCommandLine(scratch);
    rmSync(output, { recursive: true, force: true });
    // What mkdtemp makes is for its user alone; drivers that run as another one have to read it.
    chmodSync(scratch, 0o777 & ~process.umask());
    renameSync(scratch, output);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {string} directory */
function compile(directory) {
  const compiler = join(projectDirectory, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(runtimePath, [compiler, '-p', 'tsconfig.build.json', '--outDir', directory], {
    cwd: projectDirectory,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new SetupError('the source does not compile (see above)');
}

function isBuilt() {
  const built = statSync(join(output, '.built'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return sources().every((path) => statSync(path).mtimeMs <= built);
}

/** @returns {string[]} */
function sources() {
  const directory = join(projectDirectory, 'src');
  const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const scripts = readdirSync(join(projectDirectory, 'scripts/setup'), { recursive: true, encoding: 'utf8' });
  const bundlers = scripts.filter((name) => /bundle.*\.mjs$/.test(name)).map((name) => join('scripts/setup', name));
  const names = ['package.json', 'tsconfig.json', 'tsconfig.build.json', ...bundlers];
  const settings = names.map((name) => join(projectDirectory, name));
  return [
    directory,
    ...entries.filter((name) => !name.endsWith('.test.ts')).map((name) => join(directory, name)),
    ...settings,
  ];
}
