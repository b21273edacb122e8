/*
 * A directory in blocks of its own size, big-endian: names from byte 0 of the data fork on, the tree of their hashes from
 * 32 GiB on, and from 64 GiB on an index of what is free, which nobody who reads needs. A block of names begins with
 *
 *   magic      version 4   version 5
 *   several      "XD2D"      "XDD3"     byte 0 magic; names from byte 16, or from byte 64 since version 5
 *   only one     "XD2B"      "XDB3"     the same; ends with the hashes of 8 bytes each, and count and stale (32 bit each)
 *
 * Source: XFS Algorithms & Data Structures, "Block Directories" and "Leaf Directories".
 */
import type { DirectoryEntry } from '../file-system.ts';
import { u64 } from './big-endian.ts';
import { type EntriesOptions, entriesIn, entryAt, shortEntriesIn } from './directory-entry.ts';
import { findRun } from './extent-map.ts';
import { type ForkBlock, readForkBlocks } from './fork-blocks.ts';
import { firstFrom, type HashTree, hasTree, leavesFrom } from './hash-tree.ts';
import type { Inode } from './inode.ts';
import { metadataHeaders } from './metadata-header.ts';
import { nameRules } from './name-hash.ts';
import type { XfsVolume } from './volume.ts';

const hashesOffset = 2 ** 35;
const several = { 4: 0x5844_3244, 5: 0x5844_4433 } as const;
const only = { 4: 0x5844_3242, 5: 0x5844_4233 } as const;
const headerLengths = { 4: 16, 5: 64 } as const;
const leafMagics = { 4: [0xd2f1, 0xd2ff], 5: [0x3df1, 0x3dff] } as const;
const tailLength = 8;
const hashLength = 8;
/** Where names are counted in, in bytes. */
const addressUnit = 8;

/** The names in a directory, in the order of its blocks. @throws VarveError `CORRUPT` */
export async function* entriesOf(volume: XfsVolume, inode: Inode): AsyncGenerator<DirectoryEntry> {
  const { data, stat } = inode;
  const options = optionsOf(volume, `directory ${inode.number}`);
  if (data.format === 'local') return yield* shortEntriesIn(localPart(volume, inode), options);
  const { blockSize, directoryBlockSize } = volume.superblock;
  const per = directoryBlockSize / blockSize;
  const end = Math.ceil(Math.min(stat.size, hashesOffset) / directoryBlockSize) * per;
  for (let index = 0; index < end; ) {
    const { kind, count } = await findRun(volume, data, index, end - index);
    const missing = kind === 'hole' ? Math.floor(count / per) * per : 0;
    if (missing === 0) {
      const { view } = await nameBlock(volume, inode, index);
      yield* entriesIn(
        view,
        namesWithin(volume, view),
        optionsOf(volume, `block ${index} of directory ${inode.number}`),
      );
    }
    index += Math.max(per, missing);
  }
}

/** The node of a name, found by its hash where the directory keeps them apart. @throws VarveError `CORRUPT` */
export async function findEntry(volume: XfsVolume, inode: Inode, name: Uint8Array): Promise<number | undefined> {
  const tree = treeOf(volume, inode);
  const { areSame } = nameRules(volume.superblock.ignoresCase);
  const isIndexed = inode.data.format !== 'local' && (await hasTree(volume, tree));
  for await (const entry of isIndexed ? entriesByHash(volume, inode, name) : entriesOf(volume, inode)) {
    if (areSame(entry.name, name)) return entry.node;
  }
  return undefined;
}

/** What `..` is: the second name of the first block. @throws VarveError `CORRUPT` */
export async function parentOf(volume: XfsVolume, inode: Inode): Promise<number> {
  if (inode.data.format === 'local') {
    const view = localPart(volume, inode);
    if (view.byteLength >= 10) return view.getUint8(1) > 0 ? u64(view, 2) : view.getUint32(2);
  } else {
    const { view } = await nameBlock(volume, inode, 0);
    const { start, end } = namesWithin(volume, view);
    const area = new DataView(view.buffer, view.byteOffset, end);
    const { end: second } = entryAt(area, start, optionsOf(volume, `block 0 of directory ${inode.number}`));
    const isParent = second + 11 <= end && view.getUint8(second + 8) === 2 && view.getUint16(second + 9) === 0x2e2e;
    if (isParent) return u64(view, second);
  }
  throw volume.corrupt(`directory ${inode.number} does not say what it is in`);
}

/** The entries whose names have the same hash as `name`. */
async function* entriesByHash(volume: XfsVolume, inode: Inode, name: Uint8Array): AsyncGenerator<DirectoryEntry> {
  const tree = treeOf(volume, inode);
  const hash = nameRules(volume.superblock.ignoresCase).hash(name);
  for await (const { view, count } of leavesFrom(volume, tree, hash)) {
    for (let at = firstFrom(view, { start: tree.leafHeader, count }, hash); at < count; at++) {
      const place = tree.leafHeader + at * hashLength;
      if (view.getUint32(place) !== hash) return;
      const entry = await entryAtAddress(volume, inode, view.getUint32(place + 4));
      if (entry !== undefined) yield entry;
    }
  }
}

function treeOf({ superblock }: XfsVolume, { data }: Inode): HashTree {
  const { blockSize, directoryBlockSize, version } = superblock;
  return {
    ...{ fork: data, first: hashesOffset / blockSize, blocks: directoryBlockSize / blockSize },
    ...{ leafMagics: leafMagics[version], leafHeader: headerLengths[version] },
  };
}

/** The entry at an address from the hashes, which is 0 where it is gone; undefined for `.` and `..`, too. */
async function entryAtAddress(volume: XfsVolume, inode: Inode, address: number): Promise<DirectoryEntry | undefined> {
  if (address === 0) return undefined;
  const { blockSize, directoryBlockSize } = volume.superblock;
  const offset = address * addressUnit;
  const inside = offset % directoryBlockSize;
  const index = (offset - inside) / blockSize;
  const { view } = await nameBlock(volume, inode, index);
  const { start, end } = namesWithin(volume, view);
  const where = `block ${index} of directory ${inode.number}`;
  if (inside < start) throw volume.corrupt(`${where} has no name at byte ${inside}`);
  return entryAt(new DataView(view.buffer, view.byteOffset, end), inside, optionsOf(volume, where)).entry;
}

/** The block of names that begins with block `index` of the fork. */
async function nameBlock(volume: XfsVolume, inode: Inode, index: number): Promise<ForkBlock> {
  const { blockSize, directoryBlockSize, version } = volume.superblock;
  const found = await readForkBlocks(volume, inode.data, index, directoryBlockSize / blockSize);
  const what = `block ${index} of directory ${inode.number}`;
  if (found === undefined) throw volume.corrupt(`${what} is not there`);
  const { view, block } = found;
  volume.verifyBlock(view, { what, header: metadataHeaders.directoryData, block, owner: inode.number }, () => {
    const magic = view.getUint32(0);
    if (magic !== several[version] && magic !== only[version]) return 'has no magic';
    const { start, end } = namesWithin(volume, view);
    return end >= start ? undefined : `has ${view.getUint32(view.byteLength - tailLength)} hashes`;
  });
  return found;
}

/** Where in a block of names these are. */
function namesWithin({ superblock: { version } }: XfsVolume, view: DataView): { start: number; end: number } {
  const { byteLength } = view;
  const hasTail = view.getUint32(0) === only[version];
  const tail = hasTail ? tailLength + view.getUint32(byteLength - tailLength) * hashLength : 0;
  return { start: headerLengths[version], end: byteLength - tail };
}

function localPart(volume: XfsVolume, { number, data, stat }: Inode): DataView {
  const { view } = data;
  if (stat.size <= view.byteLength) return new DataView(view.buffer, view.byteOffset, stat.size);
  throw volume.corrupt(`directory ${number} has ${stat.size} bytes in itself, and room for ${view.byteLength}`);
}

function optionsOf(volume: XfsVolume, what: string): EntriesOptions {
  const { hasFileType } = volume.superblock;
  return { hasFileType, corrupt: (why) => volume.corrupt(`${what} has ${why}`) };
}
