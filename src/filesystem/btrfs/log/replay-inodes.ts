import { isEqual } from '../../../bytes/is-equal.ts';
import { inodeFields } from '../inode.ts';
import { referencesIn } from '../inode-reference.ts';
import { itemTypes } from '../key.ts';
import { setU64, u64 } from '../little-endian.ts';
import type { Item } from '../tree.ts';
import { namesOf } from './logged-names.ts';
import { copyOf, inodeKey, type LoggedSubvolume } from './logged-subvolume.ts';
import { dropExtents } from './replay-extents.ts';
import { replayRemovals } from './replay-names.ts';

/** Makes an inode what was logged of it: itself, and what it has not any more. @throws VarveError `CORRUPT` */
export async function replayInode(subvolume: LoggedSubvolume, { key, view }: Item): Promise<void> {
  const { objectid: number } = key;
  const kind = subvolume.kind(view, number);
  await removeAttributes(subvolume, number);
  if (kind === 'directory') await replayRemovals(subvolume, number);
  await overwrite(subvolume, number, view);
  const now = await subvolume.inode(number);
  if (kind === 'file' && now !== undefined) {
    const { sectorSize } = subvolume.volume.superblock;
    const end = Math.ceil(now.stat.size / sectorSize) * sectorSize;
    await dropExtents(subvolume, number, { start: end, end: Number.POSITIVE_INFINITY });
  }
  subvolume.touched.add(number);
}

/** What a file takes and how long a directory is goes on from where it was; the rest is as it was logged. */
async function overwrite(subvolume: LoggedSubvolume, number: number, logged: DataView): Promise<void> {
  const { tree } = subvolume;
  const { generation, nbytes, size } = inodeFields;
  const copy = copyOf(logged);
  const kind = subvolume.kind(logged, number);
  const old = await tree.find(inodeKey(number));
  const oldKind = old && subvolume.kind(old, number);
  setU64(copy, nbytes, old === undefined ? 0 : u64(old, nbytes));
  if (kind === 'directory') setU64(copy, size, old !== undefined && oldKind === kind ? u64(old, size) : 0);
  // Without a generation it was logged only to say that it is there.
  if (old !== undefined && u64(logged, generation) === 0) {
    if (kind !== 'file' || oldKind !== 'file' || u64(logged, size) === 0) return;
    const kept = copyOf(old);
    setU64(kept, size, u64(logged, size));
    tree.set(inodeKey(number), kept);
    return;
  }
  tree.set(inodeKey(number), copy);
}

async function removeAttributes(subvolume: LoggedSubvolume, number: number): Promise<void> {
  const { tree, log } = subvolume;
  for (const { key, view } of await subvolume.items(tree, number, itemTypes.attribute)) {
    const logged = await log.find(key);
    const kept = logged === undefined ? [] : namesOf(subvolume, logged);
    const all = namesOf(subvolume, view);
    const rest = all.filter(({ name }) => kept.some((each) => isEqual(each.name, name)));
    const parts = rest.map(({ bytes }) => bytes);
    if (rest.length < all.length) subvolume.put(key, parts);
  }
}

/** Counts the names of all inodes that may have got or lost some; directories without a name lose all that is in them. */
export async function recountLinks(subvolume: LoggedSubvolume): Promise<void> {
  const { touched } = subvolume;
  const emptied = new Set<number>();
  while (touched.size > 0) {
    const batch = [...touched];
    touched.clear();
    const gone: number[] = [];
    for (const number of batch) if (await isGoneDirectory(subvolume, number)) gone.push(number);
    // What was in them is counted again.
    for (const number of gone) {
      if (emptied.has(number)) continue;
      emptied.add(number);
      await replayRemovals(subvolume, number, true);
    }
  }
}

/** Counts the names of an inode; true for a directory that has none. */
async function isGoneDirectory(subvolume: LoggedSubvolume, number: number): Promise<boolean> {
  const { tree } = subvolume;
  const view = await tree.find(inodeKey(number));
  if (view === undefined) return false;
  let links = 0;
  for (const type of [itemTypes.inodeReference, itemTypes.extendedReference]) {
    for (const item of await subvolume.items(tree, number, type)) links += [...referencesIn(item)].length;
  }
  const copy = copyOf(view);
  copy.setUint32(inodeFields.links, links, true);
  tree.set(inodeKey(number), copy);
  return links === 0 && subvolume.kind(copy, number) === 'directory';
}
