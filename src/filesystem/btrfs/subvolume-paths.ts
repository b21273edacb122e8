import type { NamedSubvolume } from '../file-system.ts';
import type { Forest } from './forest.ts';
import { referencesIn } from './inode-reference.ts';
import { itemTypes, largestOffset, objectIds } from './key.ts';
import { decodeRootReference } from './root-item.ts';
import type { ItemTree } from './tree.ts';

/** No path that Linux takes has more names (PATH_MAX). */
const deepest = 2048;

/** All subvolumes, the uppermost one first, by their paths from there. @throws VarveError `CORRUPT` */
export async function* namedSubvolumes(forest: Forest): AsyncGenerator<NamedSubvolume> {
  const seen = new Set<number>([objectIds.fileTree]);
  const pending: NamedSubvolume[] = [{ id: objectIds.fileTree, path: '' }];
  for (let parent = pending.shift(); parent !== undefined; parent = pending.shift()) {
    yield parent;
    const from = { objectid: parent.id, type: itemTypes.rootReference, offset: 0 };
    for await (const { key, view } of forest.roots.items(from, { ...from, offset: largestOffset })) {
      const reference = decodeRootReference(view);
      const item = await forest.rootItem(key.offset);
      if (reference === undefined || item === undefined || item.isDeleted || seen.has(key.offset)) continue;
      seen.add(key.offset);
      const directory = await directoryPath(forest, parent.id, reference.directory);
      const names = [parent.path, ...directory, new TextDecoder().decode(reference.name)];
      pending.push({ id: key.offset, path: names.filter((name) => name !== '').join('/') });
    }
  }
}

/** The names on the way to a directory of a subvolume. */
async function directoryPath(forest: Forest, id: number, directory: number): Promise<string[]> {
  const tree = await forest.tree(id);
  const root = (await forest.rootItem(id))?.rootDirectory;
  const names: string[] = [];
  for (let inode = directory; tree !== undefined && inode !== root; ) {
    if (names.length > deepest) throw forest.volume.corrupt(`directory ${directory} of tree ${id} is too deep`);
    const found = await parentOf(tree, inode);
    if (found === undefined) throw forest.volume.corrupt(`directory ${inode} of tree ${id} is in no other`);
    names.unshift(found.name);
    inode = found.parent;
  }
  return names;
}

async function parentOf(tree: ItemTree, inode: number): Promise<{ name: string; parent: number } | undefined> {
  const from = { objectid: inode, type: itemTypes.inodeReference, offset: 0 };
  for await (const item of tree.items(from, { ...from, offset: largestOffset })) {
    for (const { name, parent } of referencesIn(item)) return { name: new TextDecoder().decode(name), parent };
  }
  return undefined;
}
