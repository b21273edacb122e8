/*
 * What was synced since the last commit is in trees of logs, one for each subvolume, which a tree of them lists. They hold
 * items as the subvolume's tree has them, and, for directories that were synced, which numbers of names (DIR_INDEX) they know
 * all of: (directory DIR_LOG_INDEX first) with the last one, 64 bits. Whoever mounts the file system puts them into the
 * subvolume's tree, in this order: inodes, names, and then attributes, names by inodes and contents.
 *
 * Source: Linux, fs/btrfs/tree-log.c (the order in which things are done).
 */
import type { Forest } from '../forest.ts';
import { itemTypes, largestOffset, objectIds } from '../key.ts';
import { PatchedTree } from '../patched-tree.ts';
import { decodeRootItem } from '../root-item.ts';
import { DiskTree, type Item, type ItemTree } from '../tree.ts';
import { LoggedSubvolume } from './logged-subvolume.ts';
import { replayExtent } from './replay-extents.ts';
import { recountLinks, replayInode } from './replay-inodes.ts';
import { replayEntry, replayReferences } from './replay-names.ts';

/** More items than any log has that is written before the next commit. */
const mostItems = 1 << 20;

/** Puts what is in the logs into the trees of their subvolumes, in memory. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function replayLog(forest: Forest): Promise<void> {
  const { volume } = forest;
  const { log } = volume.superblock;
  if (log === undefined) return;
  const logs = new DiskTree(volume, log, 'the tree of logs');
  const from = { objectid: objectIds.treeLog, type: itemTypes.root, offset: 0 };
  for await (const { key, view } of logs.items(from, { ...from, offset: largestOffset })) {
    const item = decodeRootItem(view);
    if (item === undefined)
      throw volume.corrupt(`the root of the log of tree ${key.offset} has ${view.byteLength} bytes`);
    const base = await forest.tree(key.offset);
    if (base === undefined) continue;
    const tree = new PatchedTree(base);
    const name = `the log of tree ${key.offset}`;
    const subvolume = new LoggedSubvolume(volume, tree, new DiskTree(volume, item.pointer, name));
    await replaySubvolume(subvolume);
    await replayChecksums(forest, subvolume);
    forest.replace(key.offset, tree);
  }
}

async function replaySubvolume(subvolume: LoggedSubvolume): Promise<void> {
  const items = await loggedItems(subvolume, subvolume.log);
  for (const item of items) if (item.key.type === itemTypes.inode) await replayInode(subvolume, item);
  for (const item of items) if (item.key.type === itemTypes.directoryIndex) await replayEntry(subvolume, item);
  for (const item of items) {
    const { type } = item.key;
    if (type === itemTypes.attribute) subvolume.tree.set(item.key, item.view);
    if (type === itemTypes.extentData) await replayExtent(subvolume, item);
    if (type === itemTypes.inodeReference || type === itemTypes.extendedReference) {
      await replayReferences(subvolume, item);
    }
  }
  await recountLinks(subvolume);
}

/** Sums of what was logged may overlap those that were there, and say the same of it. */
async function replayChecksums(forest: Forest, { volume, log }: LoggedSubvolume): Promise<void> {
  const base = await forest.tree(objectIds.checksumTree);
  if (base === undefined) return;
  const sums = new PatchedTree(base);
  const from = { objectid: objectIds.checksums, type: itemTypes.checksums, offset: 0 };
  let count = 0;
  for await (const { key, view } of log.items(from, { ...from, offset: largestOffset })) {
    if (++count > mostItems) throw volume.unsupported(`${log.name} has more than ${mostItems} items`);
    sums.set(key, view);
  }
  if (count > 0) forest.replace(objectIds.checksumTree, sums);
}

/** What is in a log of inodes that have names. */
async function loggedItems({ volume }: LoggedSubvolume, log: ItemTree): Promise<Item[]> {
  const found: Item[] = [];
  let nameless: number | undefined;
  const from = { objectid: objectIds.firstFree, type: 0, offset: 0 };
  for await (const item of log.items(from, { objectid: Number.MAX_SAFE_INTEGER, type: 255, offset: largestOffset })) {
    const { objectid, type } = item.key;
    if (type === itemTypes.inode && item.view.byteLength >= 44 && item.view.getUint32(40, true) === 0)
      nameless = objectid;
    if (objectid === nameless) continue;
    if (found.length >= mostItems) throw volume.unsupported(`${log.name} has more than ${mostItems} items`);
    found.push(item);
  }
  return found;
}
