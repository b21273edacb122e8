import { basename, dirname } from 'node:path';
import type { FileSystem } from '../../filesystem/file-system.ts';
import type { Guest } from '../../guest/open-guest.ts';

/** A file of a file system. */
export interface FilePlace {
  readonly fileSystem: FileSystem;
  readonly node: number;
}

/** Where a file system is seen in another one. */
export interface FileMount {
  /** The directory that is covered. */
  readonly covered: FilePlace;
  readonly root: FilePlace;
}

/** Files from a directory down, perhaps of several file systems. */
export interface FileTree {
  readonly root: FilePlace;
  readonly mounts: readonly FileMount[];
}

/** The files of a guest from `path` down, with what is mounted there. @throws VarveError `NOT_FOUND`, `INVALID`, `CORRUPT` */
export async function guestFileTree({ mounts: seen, tree }: Guest, path: string): Promise<FileTree> {
  const mounts: FileMount[] = [];
  for (const { directory } of seen) {
    if (directory === '/') continue;
    const parent = await tree.find(dirname(directory));
    const root = await tree.find(directory, { followLast: false });
    // What is mounted on nothing is nowhere to be seen.
    if (root === undefined || parent?.stat.kind !== 'directory') continue;
    const { fileSystem } = parent;
    const node = await fileSystem.lookup(parent.node, new TextEncoder().encode(basename(directory)));
    if (node !== undefined && !(root.fileSystem === fileSystem && root.node === node)) {
      mounts.push({ covered: { fileSystem, node }, root });
    }
  }
  return { root: await tree.resolve(path), mounts };
}
