import fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import { backingPath, readImageFile, realPath } from './image-file.ts';
import { readRegister } from './register.ts';

/** Where those are looked for that build on a file. */
export interface FindChildrenOptions {
  /** The register of overlays, a file that need not be there; without it only the file's own directory is looked at. */
  readonly register?: string | undefined;
}

/** Of a directory with more files, the rest is not looked at. */
const maximumFileCount = 10_000;
/** No image is shorter, in bytes. */
const minimumImageLength = 72;

/**
 * The image files that build directly on the file at `path`, absolute paths in order, as far as they can be seen: those
 * in its directory, and those that the register knows of. Whoever changes a file that others build on damages them.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` for the file itself
 */
export async function findChildren(path: string, options: FindChildrenOptions = {}): Promise<string[]> {
  const real = await realPath(path);
  const identity = await identityOf(real);
  const candidates = new Set(await filesBeside(real));
  const registered = options.register === undefined ? [] : await readRegister(options.register);
  for (const { overlay, base } of registered) if (base === real) candidates.add(overlay);
  candidates.delete(real);
  const children: string[] = [];
  for (const candidate of candidates) if (await buildsOn(candidate, identity)) children.push(candidate);
  return children.sort();
}

/**
 * Refuses what would damage those that build on a file. `doing` is what is refused: `remove base.qcow2`.
 *
 * @throws VarveError `BUSY` with their names, and what `findChildren` throws
 */
export async function requireNoChildren(
  path: string,
  doing: string,
  options: FindChildrenOptions & { readonly except?: readonly string[]; readonly advice?: string } = {},
): Promise<void> {
  const { except = [], advice = 'rebase or flatten them first, or give --force to damage them' } = options;
  const directory = dirname(await realPath(path));
  const children = (await findChildren(path, options)).filter((child) => !except.includes(child));
  if (children.length === 0) return;
  const names = children.map((child) => (dirname(child) === directory ? basename(child) : child));
  const shown = names.slice(0, 10).join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
  throw new VarveError('BUSY', `cannot ${doing}: ${shown} build${names.length === 1 ? 's' : ''} on it; ${advice}`);
}

async function filesBeside(path: string): Promise<string[]> {
  const directory = dirname(path);
  const files: string[] = [];
  // A directory that cannot be listed shows nothing, as one does that is elsewhere.
  const entries = await fs.opendir(directory).catch(() => undefined);
  if (entries === undefined) return files;
  for await (const entry of entries) {
    if (entry.isFile() || entry.isSymbolicLink()) files.push(join(directory, entry.name));
    if (files.length === maximumFileCount) break;
  }
  return files;
}

/** Whether the image in a file names the one of that identity as what it builds on; false for what is no image. */
async function buildsOn(candidate: string, identity: string): Promise<boolean> {
  try {
    const stats = await fs.stat(candidate);
    if (!stats.isFile() || stats.size < minimumImageLength) return false;
    const { path, information } = await readImageFile(candidate);
    if (information.backing === undefined) return false;
    const base = backingPath(path, information.backing);
    return base !== undefined && (await identityOf(base)) === identity;
  } catch {
    return false;
  }
}

/** Tells a file from all others, whatever name it is found under. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await fs.stat(path, { bigint: true });
  return `${dev}:${ino}`;
}
