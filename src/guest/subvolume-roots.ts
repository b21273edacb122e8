import type { FileSystem, NamedSubvolume } from '../filesystem/file-system.ts';
import { parseFstab } from './fstab.ts';
import { GuestTree } from './guest-tree.ts';
import { readSmallFile } from './read-small-file.ts';

/** An fstab that is larger is none. */
const largestTable = 1 << 20;
/** How many subvolumes are looked at that nothing says to be a root: there may be snapshots by the thousand. */
const mostOthers = 32;

/**
 * What a system that is on a file system may have mounted as its root: the file system as it is where nobody asks for a
 * part of it, then the subvolumes whose own fstab says that they are the root, as snapshots of them do not, and some others.
 * `name` is the disk's.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function* possibleRoots(fileSystem: FileSystem, name: string): AsyncGenerator<FileSystem> {
  yield fileSystem;
  const others: FileSystem[] = [];
  for await (const which of fileSystem.subvolumes?.() ?? []) {
    const part = await fileSystem.subvolume?.(which);
    if (part === undefined || part.root === fileSystem.root) continue;
    if (await saysItIsRoot(part, which, name)) yield part;
    else if (others.length < mostOthers) others.push(part);
  }
  yield* others;
}

async function saysItIsRoot(part: FileSystem, { id, path }: NamedSubvolume, name: string): Promise<boolean> {
  const tree = new GuestTree(new Map([['/', part]]), name);
  const fstab = (await readSmallFile(tree, '/etc/fstab', largestTable)) ?? '';
  return parseFstab(fstab).some(({ directory, subvolume }) => {
    if (directory !== '/' || subvolume === undefined) return false;
    return subvolume.id === id || (subvolume.path !== undefined && namesOf(subvolume.path) === path);
  });
}

function namesOf(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '')
    .join('/');
}
