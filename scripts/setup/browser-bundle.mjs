import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { licensesOf } from './bundled-licenses.mjs';
import { projectDirectory } from './project.mjs';

/**
 * Source files that have another one in their place in a browser, relative to src/, and those that nobody gets to from
 * src/browser/index.ts, because they write, or compare.
 * @type {readonly [file: RegExp, seam: string | undefined][]}
 */
const replacedFiles = [
  [/^bytes\/zlib\.ts$/, 'zlib-of-readers.ts'],
  [/^filesystem\/btrfs\/digests\.ts$/, 'digests.ts'],
  [/^luks\/(decrypted-device|locked-volume|sector-cipher|unlock-luks1)\.ts$/, 'encryption.ts'],
  [/^format\/(\w+)\/(write|create|check|measure)-\1\.ts$/, undefined],
  [/^format\/qcow2\/snapshots\/edit-snapshots\.ts$/, undefined],
  [/^filesystem\/\w+\/changes\//, undefined],
];

/** What stands for Node's own modules. @type {Readonly<Record<string, string>>} */
const replacedModules = {
  'node:buffer': 'buffer.ts',
  'node:timers/promises': 'timers.ts',
  'node:zlib': 'zlib.ts',
  'stream/web': 'stream-web.ts',
};

const source = join(projectDirectory, 'src');
const seams = join(source, 'browser/seams');

/**
 * Bundles src/browser/index.ts for browsers: `index.js` in `directory`, and beside it what that loads when a disk needs it.
 * @param {string} directory
 */
export async function bundleForBrowsers(directory) {
  const { build } = await import('esbuild');
  return await build({
    absWorkingDir: projectDirectory,
    entryPoints: [join(source, 'browser/index.ts')],
    outdir: directory,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2024'],
    chunkNames: 'parts/[name]-[hash]',
    inject: [join(seams, 'globals.ts')],
    legalComments: 'none',
    metafile: true,
    plugins: [{ name: 'seams', setup: addSeams }],
    logLevel: 'warning',
  });
}

/** @param {import('esbuild').PluginBuild} build */
function addSeams(build) {
  build.onResolve({ filter: /^(node:|stream\/web$)/ }, ({ path }) => {
    const seam = replacedModules[path];
    return seam === undefined ? undefined : { path: join(seams, seam) };
  });
  build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
    const file = relative(source, path).split(sep).join('/');
    const found = replacedFiles.find(([pattern]) => pattern.test(file));
    if (found === undefined) return undefined;
    const seam = found[1];
    const message = JSON.stringify(`${file} is left out of what browsers get`);
    const contents =
      seam === undefined ? `throw new Error(${message});` : `export * from ${JSON.stringify(`./${seam}`)};`;
    return { contents, loader: 'ts', resolveDir: seams };
  });
}

/**
 * Puts the bundle in the place of what the compiler made of src/browser/, whose types stay.
 * @param {string} distribution
 */
export async function replaceByBundle(distribution) {
  const directory = join(distribution, 'browser');
  const entries = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  rmSync(join(directory, 'seams'), { recursive: true });
  for (const name of entries) if (name.endsWith('.js')) rmSync(join(directory, name), { force: true });
  const { metafile } = await bundleForBrowsers(directory);
  writeFileSync(join(directory, 'LICENSES.txt'), licensesOf(Object.keys(metafile.inputs)));
  const outputs = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.js'));
  const total = outputs.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  return { fileCount: outputs.length, byteCount: total };
}
