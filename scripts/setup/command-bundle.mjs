import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { licensesOf } from './bundled-licenses.mjs';
import { BundlePlan } from './command-bundle/bundle-plan.mjs';
import { bundleRules } from './command-bundle/bundle-rules.mjs';
import { projectDirectory } from './project.mjs';

/**
 * Modules that short commands load together: each group is one file with these and what they import, and is evaluated as
 * a whole. What several groups have is in `parts/common`, and all else is cut by esbuild into what is needed together.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const groups = {
  'framework/run-command-line': ['command/framework/run-command-line.js', 'command/framework/parse-command.js'],
  'parts/common': [],
  'parts/disks': ['command/cat.js', 'guest/open-disk-guest.js'],
  'parts/ext4': ['filesystem/ext4/ext4.js'],
  'parts/qcow2': ['format/qcow2/open-qcow2.js'],
  'parts/store': ['store/store.js', 'store/open-content.js', 'image/open-pending.js', 'image/settle-image.js'],
};

/**
 * Bundles the command line, which main.js loads, and puts it in the place of what the compiler made of src/command/:
 * short commands are mostly loading of modules. What is loaded only when it is needed stays apart. The library beside it
 * stays as it is, and is what threads and processes of their own run.
 * @param {string} distribution
 */
export async function bundleCommandLine(distribution) {
  const directory = join(distribution, 'command');
  const plan = await BundlePlan.make(distribution, groups);
  const entries = Object.fromEntries([...plan.lazyNames].map(([path, name]) => [name, path]));
  const results = [await bundle(plan, directory, undefined, { entryPoints: entries, splitting: true })];
  for (const group of Object.keys(groups)) {
    const entry = { in: 'entry', out: group };
    results.push(await bundle(plan, directory, group, { entryPoints: [entry] }));
  }
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.js')) rmSync(join(directory, name));
  }
  for (const { path, contents } of results.flatMap(({ outputFiles }) => outputFiles)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contents);
  }
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  writeFileSync(join(directory, 'LICENSES.txt'), licensesOf(inputs));
}

/**
 * One group, or all that is in none.
 * @param {BundlePlan} plan
 * @param {string} directory
 * @param {string | undefined} group
 * @param {Pick<import('esbuild').BuildOptions, 'entryPoints' | 'splitting'>} options
 */
async function bundle(plan, directory, group, options) {
  const { build } = await import('esbuild');
  return await build({
    ...options,
    absWorkingDir: projectDirectory,
    outdir: directory,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: ['esnext'],
    // As deep as all others: what modules know of where they are is relative to that.
    chunkNames: 'parts/[name]-[hash]',
    legalComments: 'none',
    metafile: true,
    plugins: [bundleRules(plan, group)],
    logLevel: 'warning',
  });
}
