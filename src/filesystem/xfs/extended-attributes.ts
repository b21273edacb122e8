/*
 * Extended attributes, big-endian. In an inode there is a header of 4 bytes, totsize (16 bit) and count (8 bit), and then
 *
 *   byte  0  namelen (8 bit)     1  valuelen (8 bit)     2  flags (8 bit)     3  name, then value
 *
 * Else they are in the leaves of a tree of hashes from block 0 of the attribute fork on. A leaf's entries follow its header
 * of 32 bytes, 80 since version 5:
 *
 *   byte  0  hashval     4  nameidx (16 bit), where in the block the attribute is     6  flags (8 bit)
 *
 *   local    0  valuelen (16 bit)     2  namelen (8 bit)     3  name, then value
 *   remote   0  valueblk              4  valuelen            8  namelen (8 bit)     9  name
 *
 * Flags: 1 local, 2 trusted, 4 security, 8 a parent's name, 80 not whole yet.
 *
 * Source: XFS Algorithms & Data Structures, "Attribute Fork".
 */
import { aclFromDisk } from './access-control-list.ts';
import { type HashLeaf, type HashTree, leavesFrom } from './hash-tree.ts';
import type { Fork, Inode } from './inode.ts';
import { bytesOf } from './metadata-header.ts';
import { readRemote } from './remote-value.ts';
import type { XfsVolume } from './volume.ts';

const flags = { local: 0x1, trusted: 0x2, security: 0x4, parent: 0x8, incomplete: 0x80 } as const;
const leafMagics = { 4: [0xfbee], 5: [0x3bee] } as const;
const leafHeaders = { 4: 32, 5: 80 } as const;
const entryLength = 8;
const shortHeaderLength = 4;
/** The largest value that Linux takes, in bytes (XATTR_SIZE_MAX). */
const largestValue = 65_536;
const lists: Readonly<Record<string, string>> = {
  'trusted.SGI_ACL_FILE': 'system.posix_acl_access',
  'trusted.SGI_ACL_DEFAULT': 'system.posix_acl_default',
};

/** An attribute as it is stored: its value, or the block of the fork where that begins. */
interface StoredAttribute {
  readonly name: Uint8Array;
  readonly flags: number;
  readonly value: Uint8Array | { readonly index: number; readonly length: number };
}

/** All attributes of an inode, as Linux hands them out. @throws VarveError `CORRUPT` */
export async function readAttributes(volume: XfsVolume, inode: Inode): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const fork = inode.attributes;
  if (fork === undefined) return found;
  const corrupt = (why: string) => volume.corrupt(`inode ${inode.number} ${why}`);
  for await (const attribute of storedIn(volume, fork)) {
    if ((attribute.flags & (flags.incomplete | flags.parent)) !== 0) continue;
    const { value } = attribute;
    const bytes = value instanceof Uint8Array ? value : await readRemote(volume, fork, { kind: 'value', ...value });
    const name = `${prefixOf(attribute.flags)}${new TextDecoder().decode(attribute.name)}`;
    const list = lists[name];
    if (list === undefined) found.set(name, bytes);
    else found.set(list, aclFromDisk(bytes, corrupt));
  }
  return found;
}

function prefixOf(bits: number): string {
  if ((bits & flags.trusted) !== 0) return 'trusted.';
  return (bits & flags.security) !== 0 ? 'security.' : 'user.';
}

async function* storedIn(volume: XfsVolume, fork: Fork): AsyncGenerator<StoredAttribute> {
  if (fork.format === 'local') return yield* inInode(volume, fork);
  if (fork.extentCount === 0) return;
  const { version } = volume.superblock;
  const tree: HashTree = {
    fork,
    first: 0,
    blocks: 1,
    leafMagics: leafMagics[version],
    leafHeader: leafHeaders[version],
  };
  for await (const leaf of leavesFrom(volume, tree, 0)) yield* inLeaf(volume, tree, leaf);
}

function* inInode(volume: XfsVolume, { view, name: what }: Fork): Generator<StoredAttribute> {
  const bytes = bytesOf(view);
  const count = bytes.length < shortHeaderLength ? 0 : bytes[2]!;
  let offset = shortHeaderLength;
  for (let index = 0; index < count; index++) {
    const valueAt = offset + 3 + (bytes[offset] ?? 0);
    const end = valueAt + (bytes[offset + 1] ?? 0);
    if (offset + 3 > bytes.length || end > bytes.length) throw volume.corrupt(`${what} ends before attribute ${index}`);
    yield { name: bytes.slice(offset + 3, valueAt), flags: bytes[offset + 2]!, value: bytes.slice(valueAt, end) };
    offset = end;
  }
}

function* inLeaf(volume: XfsVolume, tree: HashTree, { view, what, count }: HashLeaf): Generator<StoredAttribute> {
  for (let index = 0; index < count; index++) {
    const place = tree.leafHeader + index * entryLength;
    const found = storedAt(view, view.getUint16(place + 4), view.getUint8(place + 6));
    if (typeof found === 'string') throw volume.corrupt(`attribute ${index} in ${what} ${found}`);
    yield found;
  }
}

/** The attribute at byte `offset` of a leaf; a text where it cannot be one. */
function storedAt(view: DataView, offset: number, bits: number): StoredAttribute | string {
  const bytes = bytesOf(view);
  const isLocal = (bits & flags.local) !== 0;
  const nameAt = offset + (isLocal ? 3 : 9);
  if (nameAt > bytes.length) return 'lies past the end';
  const valueAt = nameAt + bytes[nameAt - 1]!;
  const length = isLocal ? view.getUint16(offset) : view.getUint32(offset + 4);
  if (valueAt + (isLocal ? length : 0) > bytes.length) return 'ends past the end';
  if (length > largestValue) return `has ${length} bytes`;
  const value = isLocal ? bytes.slice(valueAt, valueAt + length) : { index: view.getUint32(offset), length };
  return { name: bytes.slice(nameAt, valueAt), flags: bits, value };
}
