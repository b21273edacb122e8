import { isEqual } from '../../../bytes/is-equal.ts';
import { type DirectoryItem, namesIn } from '../directory-item.ts';
import { encodeReference, type InodeReference, referencesIn } from '../inode-reference.ts';
import { itemTypes, type Key, orderKeys } from '../key.ts';
import { nameHash, referenceHash } from '../name-hash.ts';
import type { Item, ItemTree } from '../tree.ts';
import type { LoggedSubvolume } from './logged-subvolume.ts';

/** A name in a directory. */
export interface Entry {
  readonly directory: number;
  readonly name: Uint8Array;
  /** Under which number it is listed, where that is known. */
  readonly index?: number;
}

/** The names that an item of a directory holds. @throws VarveError `CORRUPT` */
export function namesOf({ volume, log }: LoggedSubvolume, view: DataView): DirectoryItem[] {
  return [...namesIn(view, (why) => volume.corrupt(`a directory of ${log.name} has ${why}`))];
}

/** What a name stands for. */
export async function findName(
  subvolume: LoggedSubvolume,
  { directory, name }: Entry,
): Promise<DirectoryItem | undefined> {
  const item = await subvolume.tree.find(hashKey(directory, name));
  return item && namesOf(subvolume, item).find((each) => isEqual(each.name, name));
}

/** Takes away a name of what is at `location`, wherever it is kept; its names are to be counted again. */
export async function removeName(subvolume: LoggedSubvolume, entry: Entry, location: Key): Promise<void> {
  const { tree, touched } = subvolume;
  const { directory, name } = entry;
  const isMeant = (each: DirectoryItem) => isEqual(each.name, name) && orderKeys(each.location, location) === 0;
  const item = await tree.find(hashKey(directory, name));
  const all = item === undefined ? [] : namesOf(subvolume, item);
  const index = (await removeReference(subvolume, entry, location)) ?? entry.index;
  if (index !== undefined) {
    const key = { objectid: directory, type: itemTypes.directoryIndex, offset: index };
    const listed = await tree.find(key);
    if (listed !== undefined && namesOf(subvolume, listed).some(isMeant)) tree.delete(key);
  }
  touched.add(location.objectid);
  if (!all.some(isMeant)) return;
  const rest = all.filter((each) => !isMeant(each)).map(({ bytes }) => bytes);
  subvolume.put(hashKey(directory, name), rest);
  await subvolume.add(directory, { size: -2 * name.length });
}

/** Takes away what an inode says of a name; under which number that is listed. */
async function removeReference(subvolume: LoggedSubvolume, entry: Entry, inode: Key): Promise<number | undefined> {
  const { tree } = subvolume;
  for (const item of await referenceItems(tree, entry, inode)) {
    const all = [...referencesIn(item)];
    const found = all.find((each) => isOf(each, entry));
    if (found === undefined) continue;
    const rest = all.filter((each) => !isOf(each, entry)).map(({ bytes }) => bytes);
    subvolume.put(item.key, rest);
    return found.index;
  }
  return undefined;
}

/** Whether a tree has a name with the inode that it stands for. */
export async function hasReference(tree: ItemTree, entry: Entry, inode: Key): Promise<boolean> {
  const items = await referenceItems(tree, entry, inode);
  return items.some((item) => [...referencesIn(item)].some((each) => isOf(each, entry)));
}

function isOf(reference: InodeReference, { directory, name }: Entry): boolean {
  return reference.parent === directory && isEqual(reference.name, name);
}

/** The items that may have a name of an inode. */
async function referenceItems(tree: ItemTree, { directory, name }: Entry, { objectid }: Key): Promise<Item[]> {
  const found: Item[] = [];
  for (const key of [
    { objectid, type: itemTypes.inodeReference, offset: directory },
    { objectid, type: itemTypes.extendedReference, offset: referenceHash(directory, name) },
  ]) {
    const view = await tree.find(key);
    if (view !== undefined) found.push({ key, view });
  }
  return found;
}

/** A name that is to be added, and how it is stored. */
export interface NewEntry extends Entry {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Adds a name to a directory, and to the inode that it stands for, unless another one is listed under its number. */
export async function addName(subvolume: LoggedSubvolume, entry: NewEntry, { objectid }: Key): Promise<void> {
  const { tree, touched } = subvolume;
  const { directory, name, index, bytes } = entry;
  const indexKey = { objectid: directory, type: itemTypes.directoryIndex, offset: index };
  if ((await tree.find(indexKey)) !== undefined) return;
  subvolume.put(indexKey, [bytes]);
  const item = await tree.find(hashKey(directory, name));
  const others = item === undefined ? [] : namesOf(subvolume, item);
  subvolume.put(hashKey(directory, name), [...others.map((each) => each.bytes), bytes]);
  await subvolume.add(directory, { size: 2 * name.length });
  const key = { objectid, type: itemTypes.inodeReference, offset: directory };
  const old = await tree.find(key);
  const references = old === undefined ? [] : [...referencesIn({ key, view: old })];
  const reference = encodeReference(name, index);
  subvolume.put(key, [...references.map((each) => each.bytes), reference]);
  touched.add(objectid);
}

function hashKey(directory: number, name: Uint8Array): Key {
  return { objectid: directory, type: itemTypes.directoryItem, offset: nameHash(name) };
}
