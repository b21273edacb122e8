import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import type { Platform } from '../../../protocol/dhcp/architectures.ts';
import type { Loaders } from '../../../protocol/dhcp/boot-options.ts';
import { directorySource } from '../../files/directory-source.ts';
import type { FileSource } from '../../files/file-source.ts';
import { companions, httpLoaders, kernelLoader, type LoaderPlace, pxeLoaders } from './loader-places.ts';

/** The loaders that are there, and by which names. */
export interface FoundLoaders {
  /** For PXE firmware: names in `source`. */
  readonly pxe: Loaders;
  /** For firmware that loads over HTTP: names in `source`. */
  readonly http: Loaders;
  /** Every file that is served, by its name: absolute paths. */
  readonly files: ReadonlyMap<string, string>;
  /** These files, and nothing else of the directories that they are in. */
  readonly source: FileSource;
}

/**
 * The loaders for machines of each kind: those that somebody named, else those of the packages that are installed here,
 * which are never shipped. What a loader looks for beside itself is served beside it.
 *
 * @param named absolute paths
 * @param root where this system's packages are
 * @throws VarveError `NOT_FOUND` for a named loader that is not there, `PERMISSION`
 */
export function findLoaders(named: Readonly<Partial<Record<Platform, string>>>, root = '/'): FoundLoaders {
  const files = new Map<string, string>();
  const chosen: Partial<Record<Platform, string>> = {};
  for (const [platform, path] of Object.entries(named)) {
    requireFile(path, platform);
    chosen[platform as Platform] = addNamed(files, path, platform, root);
  }
  const found = (places: typeof pxeLoaders): Loaders => {
    const names: Partial<Record<Platform, string>> = {};
    for (const [platform, candidates] of Object.entries(places)) {
      const name = addFirst(files, candidates, root);
      if (name !== undefined) names[platform as Platform] = name;
    }
    return { ...names, ...chosen };
  };
  const [pxe, http] = [found(pxeLoaders), found(httpLoaders)];
  addFirst(files, kernelLoader, root);
  return { pxe, http: { ...pxe, ...http }, files, source: { open: (name) => openLoader(files, name) } };
}

/** Why there is no loader for machines of a kind, and what to do. */
export function missingLoader(platform: Platform): VarveError {
  const looked = pxeLoaders[platform]?.map(({ path }) => `/${path}`) ?? [];
  const remedy =
    platform === 'bios' || platform === 'efi-x64'
      ? "install Debian's package ipxe"
      : "Debian's package ipxe has none for it; take one from a build of iPXE";
  const found = looked.length === 0 ? '' : ` (looked for ${looked.join(', ')})`;
  return new VarveError(
    'NOT_FOUND',
    `there is no loader for ${platform}${found}: ${remedy}, or name one in the room, as in loaders: { ${platform}: ./loader }`,
  );
}

function openLoader(files: ReadonlyMap<string, string>, name: string): ReturnType<FileSource['open']> {
  const path = files.get(name.replace(/^\/+/, ''));
  if (path === undefined || !fs.existsSync(path)) return undefined;
  // Debian has links in /usr/lib/ipxe to where /boot has the file.
  const real = fs.realpathSync(path);
  return directorySource(dirname(real)).open(basename(real));
}

/** Adds a loader that somebody named, and what it needs. Two of one name, for several platforms, are told apart. */
function addNamed(files: Map<string, string>, path: string, platform: string, root: string): string {
  const own = basename(path).replace(/\.signed$/, '');
  const taken = files.get(own);
  const name = taken === undefined || taken === path ? own : `${platform}-${own}`;
  files.set(name, path);
  for (const { files: places, needed, of } of companions) {
    if (!of.test(own)) continue;
    addCompanions(files, places, dirname(path), root);
    if (!files.has(needed.name)) {
      const remedy = `put it beside that, or install Debian's package ${needed.package}`;
      throw new VarveError('NOT_FOUND', `the loader ${path} for ${platform} needs ${needed.name}: ${remedy}`);
    }
  }
  return name;
}

/** Adds what a loader looks for: from beside it, else from where packages have it. */
function addCompanions(
  files: Map<string, string>,
  places: readonly LoaderPlace[],
  directory: string,
  root: string,
): void {
  for (const name of new Set(places.map((place) => place.name))) {
    const beside = [`${name}.signed`, name].map((each) => join(directory, each)).find(isFile);
    if (beside !== undefined && !files.has(name)) files.set(name, beside);
    if (beside === undefined) {
      const elsewhere = places.filter((place) => place.name === name);
      addFirst(files, elsewhere, root);
    }
  }
}

/** Adds the first file that is there. @returns its name, undefined where none is there */
function addFirst(files: Map<string, string>, candidates: readonly LoaderPlace[], root: string): string | undefined {
  const place = candidates.find(({ path }) => isFile(join(root, path)));
  if (place === undefined) return undefined;
  // A loader that somebody named keeps its name.
  if (!files.has(place.name)) files.set(place.name, join(root, place.path));
  return place.name;
}

function isFile(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function requireFile(path: string, platform: string): void {
  try {
    if (fs.statSync(path).isFile()) fs.accessSync(path, fs.constants.R_OK);
    else throw new VarveError('INVALID', `the loader ${path} for ${platform} is no file`);
  } catch (error) {
    throw systemError(`read the loader ${path} for ${platform}`, error);
  }
}
