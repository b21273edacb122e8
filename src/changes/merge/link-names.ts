import type { FileSystem } from '../../filesystem/file-system.ts';
import { GuestTree } from '../../guest/guest-tree.ts';
import { walkDirectories } from '../../guest/walk-guest.ts';

/** The paths of files, by their nodes. */
export type LinkNames = ReadonlyMap<number, readonly string[]>;

/** The files of a file system as a tree of their own, from its root on. */
export function treeOf(fileSystem: FileSystem, name: string): GuestTree {
  return new GuestTree(new Map([['/', fileSystem]]), name);
}

/** All names of some files. Looks into every directory, unless no file is asked for. @throws VarveError `CORRUPT` */
export async function linkNames(fileSystem: FileSystem, nodes: ReadonlySet<number>, name: string): Promise<LinkNames> {
  const found = new Map<number, string[]>();
  if (nodes.size === 0) return found;
  const tree = treeOf(fileSystem, name);
  for await (const { entries } of walkDirectories(tree, await tree.resolve('/'))) {
    for (const { kind, node, path } of entries) {
      if (kind === 'directory' || !nodes.has(node)) continue;
      found.set(node, [...(found.get(node) ?? []), path]);
    }
  }
  return found;
}
