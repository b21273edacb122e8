import { posix } from 'node:path';
import { importsOf } from './imports.ts';

/**
 * The map of the code (ARCHITECTURE.md): what each folder of src/ may import, besides itself and what those may
 * import in turn. A folder that is not listed may not exist.
 */
const directImports: Readonly<Record<string, readonly string[]>> = {
  base: [],
  log: ['base'],
  bytes: ['base'],
  linux: ['bytes'],
  protocol: ['bytes'],
  block: ['linux', 'log', 'protocol'],
  filter: ['block'],
  luks: ['block'],
  format: ['luks'],
  partition: ['luks'],
  volume: ['block'],
  filesystem: ['block'],
  store: ['filter'],
  image: ['store', 'format', 'partition', 'volume', 'filesystem'],
  guest: ['image'],
  inspect: ['guest'],
  journal: ['guest'],
  changes: ['inspect'],
  server: ['changes'],
  command: ['server', 'journal'],
  browser: ['guest'],
  conformance: ['store', 'format', 'partition', 'filesystem'],
};

/** The modules that stand in src/ itself: the library and the command line, which may import everything. */
const entryPoints = ['index.ts', 'main.ts'];

/** The folders that code in `folder` may import, itself among them; undefined for an unknown folder. */
function allowedImports(folder: string): ReadonlySet<string> | undefined {
  const direct = directImports[folder];
  return direct && new Set([folder, ...direct.flatMap((below) => [...allowedImports(below)!])]);
}

/**
 * What is wrong with the place of `path` and with what its `source` imports, a sentence each.
 * @param path relative to src/, with `/`: `block/file-device.ts`
 */
export function layeringProblems(path: string, source: string): string[] {
  const isTest = path.endsWith('.test.ts');
  const folder = folderOf(path);
  if (folder === '') return isTest || entryPoints.includes(path) ? [] : [`${path} belongs in a folder of src/`];
  const allowed = allowedImports(folder);
  if (!allowed) return [`${path}: src/${folder}/ is not on the map of the code`];
  const targets = importsOf(source).filter((specifier) => specifier.startsWith('.'));
  return targets.flatMap((specifier) => {
    // Relative to src/, also where the way there leads over the project's directory.
    const target = posix.join(posix.dirname(path), specifier).replace(/^\.\.\/src\//, '');
    const targetFolder = folderOf(target);
    if (allowed.has(targetFolder) || (isTest && isForTests(target, targetFolder))) return [];
    return [
      `${path} imports ${specifier}: ${folder}/ may not import ${targetFolder === '' ? target : `${targetFolder}/`}`,
    ];
  });
}

/** The folder of src/ that `path` is in, `''` for src/ itself, `'..'` for what lies outside. */
function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

/** Tests may also use the conformance suites, the filters that make faults and delays, and test/'s own helpers. */
function isForTests(target: string, folder: string): boolean {
  return folder === 'conformance' || folder === 'filter' || target.startsWith('../test/');
}
