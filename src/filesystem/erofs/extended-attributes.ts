/*
 * The attributes behind an inode, little-endian: 12 bytes, of which byte 4 says how many shared ones there are; the numbers
 * of those (32 bits each, times 4 bytes from where shared attributes are); then entries, padded to 4 bytes:
 *
 *   byte  0  e_name_len (8 bit)        2  e_value_size (16 bit)
 *         1  e_name_index (8 bit)      4  the name without its prefix, then the value
 *
 * A shared attribute is one such entry.
 *
 * Source: Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst, "Extended attributes".
 */
import { alignUp } from '../../bytes/align.ts';
import type { Inode } from './inode.ts';
import type { ErofsVolume } from './volume.ts';

const headerLength = 12;
const entryHeaderLength = 4;
const longPrefix = 0x80;
const prefixes: Readonly<Record<number, string>> = {
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
};

/** All attributes of an inode, as Linux hands them out. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function readAttributes(
  volume: ErofsVolume,
  node: number,
  { attributes: { place, length } }: Inode,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  if (length === 0) return found;
  const view = await volume.metadata(place, length, `the attributes of inode ${node}`);
  const sharedCount = view.getUint8(4);
  const start = headerLength + sharedCount * 4;
  if (start > length) throw volume.corrupt(`inode ${node} has ${sharedCount} shared attributes in ${length} bytes`);
  for (let index = 0; index < sharedCount; index++) {
    const shared = volume.superblock.sharedAttributes + view.getUint32(headerLength + index * 4, true) * 4;
    await takeEntry(volume, shared, found, `a shared attribute of inode ${node}`);
  }
  for (let offset = start; offset + entryHeaderLength <= length; ) {
    // What is left of the room for entries is zeros.
    if (view.getUint32(offset, true) === 0) break;
    const taken = await takeEntry(volume, place + offset, found, `an attribute of inode ${node}`);
    offset = alignUp(offset + taken, 4);
    if (offset > length) throw volume.corrupt(`an attribute of inode ${node} goes past their end`);
  }
  return found;
}

/** Puts the entry at byte `place` into `found`; returns its length. */
async function takeEntry(
  volume: ErofsVolume,
  place: number,
  found: Map<string, Uint8Array>,
  what: string,
): Promise<number> {
  const header = await volume.metadata(place, entryHeaderLength, what);
  const [nameLength, kind, valueLength] = [header.getUint8(0), header.getUint8(1), header.getUint16(2, true)];
  if ((kind & longPrefix) !== 0) throw volume.unsupported(`${what} has a prefix of this disk's own`);
  const rest = await volume.metadata(place + entryHeaderLength, nameLength + valueLength, what);
  const bytes = new Uint8Array(rest.buffer, rest.byteOffset, rest.byteLength);
  const prefix = prefixes[kind];
  const name = `${prefix}${new TextDecoder().decode(bytes.subarray(0, nameLength))}`;
  if (prefix !== undefined) found.set(name, bytes.slice(nameLength));
  return entryHeaderLength + nameLength + valueLength;
}
