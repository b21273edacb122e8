/*
 * A directory's listing has headers, each followed by its entries, little-endian:
 *
 *   header  0  count, less 1 (32 bit)       entry  0  offset of the inode in its block (16 bit)
 *           4  start_block of the inodes           2  inode_number, from the header's (16 bit, signed)
 *           8  inode_number                        4  type (16 bit)
 *                                                  6  size of the name, less 1 (16 bit)
 *                                                  8  name
 *
 * Names are in the order of their bytes. The index of a long directory, behind its inode, says which name comes first in
 * a block of the listing: index (32 bit, bytes from the listing's start), start_block (32 bit), size (32 bit, less 1), name.
 *
 * Source: Linux, Documentation/filesystems/squashfs.rst, sections 3.2 and 4.
 */
import type { DirectoryEntry } from '../file-system.ts';
import { type DirectoryDetail, kinds } from './inode.ts';
import { MetadataCursor, type MetadataTable } from './metadata-cursor.ts';
import { metadataLength, type SquashfsVolume } from './volume.ts';

const headerLength = 12;
const entryLength = 8;
const mostEntries = 256;
const longestName = 256;

/** The tables that a directory is read from, and what it is called in errors. */
export interface DirectorySource {
  readonly volume: SquashfsVolume;
  readonly inodeTable: MetadataTable;
  readonly directoryTable: MetadataTable;
  /** `directory 12` */
  readonly title: string;
}

/** A stretch of a listing: where it begins, from the table's start, and how many bytes there are from there on. */
interface Stretch {
  readonly startBlock: number;
  readonly offset: number;
  readonly length: number;
}

/** The names in a directory. An entry's node is the reference of its inode. */
export function listDirectory(source: DirectorySource, detail: DirectoryDetail): AsyncGenerator<DirectoryEntry> {
  return entriesIn(source, detail);
}

/** The node of a name in a directory; its index, if it has one, says where to begin. */
export async function findName(
  source: DirectorySource,
  detail: DirectoryDetail,
  name: Uint8Array,
): Promise<number | undefined> {
  for await (const entry of entriesIn(source, await stretchWith(source, detail, name))) {
    const order = compareNames(entry.name, name);
    if (order === 0) return entry.node;
    if (order > 0) return undefined;
  }
  return undefined;
}

async function stretchWith(source: DirectorySource, detail: DirectoryDetail, name: Uint8Array): Promise<Stretch> {
  const { volume, inodeTable, title } = source;
  const cursor = new MetadataCursor(volume, inodeTable, detail.index);
  let best: Stretch = detail;
  for (let count = 0; count < detail.indexCount; count++) {
    const view = await cursor.take(12);
    const [index, startBlock, size] = [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true) + 1];
    if (size > longestName || index > detail.length)
      throw volume.corrupt(`the index of ${title} has a wrong entry ${count}`);
    if (compareNames(await cursor.takeBytes(size), name) > 0) break;
    best = { startBlock, offset: (detail.offset + index) % metadataLength, length: detail.length - index };
  }
  return best;
}

async function* entriesIn(source: DirectorySource, stretch: Stretch): AsyncGenerator<DirectoryEntry> {
  const { volume, directoryTable, title } = source;
  const place = { block: directoryTable.start + stretch.startBlock, offset: stretch.offset };
  const cursor = new MetadataCursor(volume, directoryTable, place);
  let last: Uint8Array = new Uint8Array(0);
  for (let rest = stretch.length; rest > 0; ) {
    const header = await cursor.take(headerLength);
    rest -= headerLength;
    const count = header.getUint32(0, true) + 1;
    const inodeBlock = header.getUint32(4, true);
    if (count > mostEntries) throw volume.corrupt(`${title} has a header for ${count} entries`);
    for (let index = 0; index < count; index++) {
      const taken = cursor.take(entryLength);
      const view = taken instanceof Promise ? await taken : taken;
      const nameLength = view.getUint16(6, true) + 1;
      rest -= entryLength + nameLength;
      if (rest < 0 || nameLength > longestName) throw volume.corrupt(`${title} has an entry that goes past its end`);
      const node = inodeBlock * 65_536 + view.getUint16(0, true);
      const kind = kinds[view.getUint16(4, true)];
      const bytes = cursor.takeBytes(nameLength);
      const name = bytes instanceof Promise ? await bytes : bytes;
      if (!isName(name) || compareNames(last, name) >= 0)
        throw volume.corrupt(`${title} has a name that cannot be there`);
      last = name;
      yield { name, node, kind };
    }
  }
}

function isName(name: Uint8Array): boolean {
  const isDots = name.length <= 2 && name.every((byte) => byte === 0x2e);
  return !isDots && !name.includes(0x2f) && !name.includes(0);
}

function compareNames(one: Uint8Array, other: Uint8Array): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    if (one[index] !== other[index]) return one[index]! - other[index]!;
  }
  return one.length - other.length;
}
