import { isEqual } from '../../../bytes/is-equal.ts';
import { type DirectoryItem, encodeName } from '../directory-item.ts';
import { type InodeReference, referencesIn } from '../inode-reference.ts';
import { itemTypes, orderKeys } from '../key.ts';
import { u64 } from '../little-endian.ts';
import type { Item } from '../tree.ts';
import { addName, findName, hasReference, namesOf, removeName } from './logged-names.ts';
import { inodeKey, type LoggedSubvolume } from './logged-subvolume.ts';

/** Takes away the names of a directory that its log says are gone: all that are in its ranges and not in it. */
export async function replayRemovals(subvolume: LoggedSubvolume, directory: number, isGone = false): Promise<void> {
  const { tree, log } = subvolume;
  const logged = isGone ? [] : await subvolume.items(log, directory, itemTypes.loggedRange);
  const ranges = logged.map(({ key, view }) => [key.offset, view.byteLength < 8 ? key.offset : u64(view, 0)] as const);
  const type = itemTypes.directoryIndex;
  for (const [start, end] of isGone ? [[0, -1] as const] : ranges) {
    const inRange: Item[] = [];
    // The end may be the largest number of all.
    const last = end > Number.MAX_SAFE_INTEGER ? -1 : end;
    const to = { objectid: directory, type, offset: last };
    for await (const item of tree.items({ ...to, offset: start }, to)) inRange.push(item);
    for (const { key, view } of inRange) {
      for (const { name, location } of namesOf(subvolume, view)) {
        const kept = isGone ? undefined : await log.find(key);
        if (kept !== undefined && namesOf(subvolume, kept).some((each) => isEqual(each.name, name))) continue;
        await removeName(subvolume, { directory, name, index: key.offset }, location);
        tree.delete(key);
      }
    }
  }
}

/** Adds a name that was logged with its directory, unless it comes with its inode. */
export async function replayEntry(subvolume: LoggedSubvolume, { key, view }: Item): Promise<void> {
  const { tree, log } = subvolume;
  const directory = key.objectid;
  for (const entry of namesOf(subvolume, view)) {
    const { name, location } = entry;
    if (location.type !== itemTypes.inode || (await subvolume.inode(directory)) === undefined) continue;
    const isThere = (await subvolume.inode(location.objectid)) !== undefined;
    const byName = await findName(subvolume, { directory, name });
    const atIndex = await tree.find(key);
    const byIndex = atIndex && namesOf(subvolume, atIndex).find((each) => isEqual(each.name, name));
    const [isNamed, isListed] = [byName, byIndex].map((each) => each && orderKeys(each.location, location) === 0);
    if (isNamed && isListed) continue;
    for (const other of [byName, byIndex]) {
      const isOther = other !== undefined && orderKeys(other.location, location) !== 0;
      if (isOther && isThere) await removeName(subvolume, { directory, name }, other.location);
    }
    if (await hasReference(log, { directory, name }, location)) continue;
    if (isThere) await addName(subvolume, { directory, name, index: key.offset, bytes: entry.bytes }, location);
  }
}

/** Gives an inode the names that were logged with it, in one directory, and no others there. */
export async function replayReferences(subvolume: LoggedSubvolume, item: Item): Promise<void> {
  const { tree } = subvolume;
  const { objectid: inode } = item.key;
  // The uppermost directory has a name in itself, which is not listed.
  if (inode === item.key.offset || (await subvolume.inode(inode)) === undefined) return;
  const wanted = [...referencesIn(item)];
  const old = await tree.find(item.key);
  for (const { parent, name } of old === undefined ? [] : referencesIn({ key: item.key, view: old })) {
    const isKept = wanted.some((each) => each.parent === parent && isEqual(each.name, name));
    if (!isKept) await removeName(subvolume, { directory: parent, name }, inodeKey(inode));
  }
  for (const reference of wanted) await replayReference(subvolume, inode, reference);
  tree.set(item.key, item.view);
  subvolume.touched.add(inode);
}

async function replayReference(subvolume: LoggedSubvolume, inode: number, reference: InodeReference): Promise<void> {
  const { parent: directory, index, name } = reference;
  const { tree } = subvolume;
  const file = await subvolume.inode(inode);
  if (file === undefined || (await subvolume.inode(directory)) === undefined) return;
  const location = inodeKey(inode);
  const byName = await findName(subvolume, { directory, name });
  const atIndex = await tree.find({ objectid: directory, type: itemTypes.directoryIndex, offset: index });
  const listed = atIndex === undefined ? [] : namesOf(subvolume, atIndex);
  const isRight = (each: DirectoryItem) => isEqual(each.name, name) && orderKeys(each.location, location) === 0;
  if (byName !== undefined && isRight(byName) && listed.some(isRight)) return;
  for (const other of listed) await removeName(subvolume, { directory, name: other.name, index }, other.location);
  if (byName !== undefined) await removeName(subvolume, { directory, name }, byName.location);
  const bytes = encodeName(name, location, file.stat.kind);
  await addName(subvolume, { directory, name, index, bytes }, location);
}
