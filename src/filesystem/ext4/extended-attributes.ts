/*
 * Extended attributes, behind an inode's fields and in a block of their own; little-endian.
 *
 *   inode   0  h_magic, ea020000             block   0  h_magic      16  h_checksum
 *                                                    4  h_refcount   20  zeros up to 32
 *                                                    8  h_blocks, 1
 *   entry   0  e_name_len (8 bit)        8  e_value_size
 *           1  e_name_index (8 bit)     12  e_hash
 *           2  e_value_offs (16 bit)    16  the name, padded to 4 bytes
 *           4  e_value_inum
 *
 * Four zero bytes end the entries. Values are counted from the first entry in an inode, from the start of a block;
 * where e_value_inum is not 0, that inode holds the value.
 *
 * Source: Linux, Documentation/filesystems/ext4/attributes.rst.
 */
import { aclFromDisk } from './access-control-list.ts';
import { asStored, blockNumberBytes, chained } from './checksum.ts';
import type { Inode } from './inode.ts';
import { incompat } from './superblock.ts';
import type { Ext4Volume } from './volume.ts';

const magic = 0xea02_0000;
const blockHeaderLength = 32;
const entryHeaderLength = 16;
/** The largest value that Linux takes, in bytes (XATTR_SIZE_MAX). */
const largestValue = 65_536;

const prefixes: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
};

/** An attribute as it is stored: its value, or the inode that holds it. */
interface StoredAttribute {
  readonly name: string;
  readonly value: Uint8Array | { readonly inode: number; readonly size: number };
}

/** Reads the value that an inode of its own holds. */
export type ReadAttributeInode = (inode: number, size: number) => Promise<Uint8Array>;

/** Where inline data goes on that has no room in the inode's own 60 bytes; empty where it does not. */
export function inlineRest(volume: Ext4Volume, inode: Inode): Uint8Array {
  const found = inInode(volume, inode).find(({ name }) => name === 'system.data')?.value;
  return found instanceof Uint8Array ? found : new Uint8Array(0);
}

/** All attributes of an inode, as Linux hands them out. @throws VarveError `CORRUPT` */
export async function readAttributes(
  volume: Ext4Volume,
  inode: Inode,
  readInode: ReadAttributeInode,
): Promise<Map<string, Uint8Array>> {
  const attributes = new Map<string, Uint8Array>();
  const stored = [...inInode(volume, inode), ...(await inBlock(volume, inode))];
  for (const { name, value } of stored) {
    if (name === 'system.data') continue;
    const bytes = value instanceof Uint8Array ? value : await readInode(value.inode, value.size);
    const isAcl = name.startsWith('system.posix_acl_');
    attributes.set(name, isAcl ? aclFromDisk(bytes, (why) => volume.corrupt(`inode ${inode.number} ${why}`)) : bytes);
  }
  return attributes;
}

function inInode(volume: Ext4Volume, inode: Inode): StoredAttribute[] {
  const { tail } = inode;
  if (tail.length < 8 || new DataView(tail.buffer, tail.byteOffset).getUint32(0, true) !== magic) return [];
  const entries = tail.subarray(4);
  return decodeEntries(volume, inode, { entries, values: entries });
}

async function inBlock(volume: Ext4Volume, inode: Inode): Promise<StoredAttribute[]> {
  const { attributeBlock } = inode;
  if (attributeBlock === 0) return [];
  const what = `the block of attributes of inode ${inode.number}`;
  const block = await volume.block(attributeBlock, what);
  volume.verifyOnce(block, what, () => blockProblem(volume, block, attributeBlock));
  const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  return decodeEntries(volume, inode, { entries: bytes.subarray(blockHeaderLength), values: bytes });
}

function blockProblem(volume: Ext4Volume, block: DataView, place: number): string | undefined {
  if (block.getUint32(0, true) !== magic) return 'has no magic';
  if (!volume.hasChecksums) return undefined;
  const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  const { checksumSeed } = volume.superblock;
  const sum = chained(
    checksumSeed,
    blockNumberBytes(place),
    bytes.subarray(0, 16),
    new Uint8Array(4),
    bytes.subarray(20),
  );
  return asStored(sum) === block.getUint32(16, true) ? undefined : 'does not fit its checksum';
}

interface Area {
  readonly entries: Uint8Array;
  /** Offsets of values count from its start. */
  readonly values: Uint8Array;
}

function decodeEntries(volume: Ext4Volume, inode: Inode, { entries, values }: Area): StoredAttribute[] {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  const found: StoredAttribute[] = [];
  const corrupt = (why: string) => volume.corrupt(`an extended attribute of inode ${inode.number} ${why}`);
  for (let offset = 0; offset + 4 <= entries.length && view.getUint32(offset, true) !== 0; ) {
    const nameLength = entries[offset]!;
    const end = offset + entryHeaderLength + nameLength;
    if (end > entries.length) throw corrupt('has a name that ends past the end');
    const prefix = prefixes[entries[offset + 1]!];
    const name = `${prefix}${new TextDecoder().decode(entries.subarray(offset + entryHeaderLength, end))}`;
    // Those of other kinds are the kernel's own: how a file is encrypted, or verified.
    if (prefix !== undefined) found.push({ name, value: storedValue(volume, view, offset, values, corrupt) });
    offset = end + ((4 - (nameLength % 4)) % 4);
  }
  return found;
}

function storedValue(
  volume: Ext4Volume,
  view: DataView,
  offset: number,
  values: Uint8Array,
  corrupt: (why: string) => Error,
): StoredAttribute['value'] {
  const start = view.getUint16(offset + 2, true);
  const inode = view.getUint32(offset + 4, true);
  const size = view.getUint32(offset + 8, true);
  if (size > largestValue) throw corrupt(`has ${size} bytes`);
  if (inode !== 0 && (volume.superblock.incompat & incompat.attributeInodes) !== 0) return { inode, size };
  if (start + size > values.length) throw corrupt('has a value that ends past the end');
  return values.slice(start, start + size);
}
