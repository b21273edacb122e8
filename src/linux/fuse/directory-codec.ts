/*
 * What stands for names, in replies:
 *
 *   entry    0 uint64 nodeid (0: there is no such file)     8 uint64 generation
 *           16 uint64 entry_valid (seconds)   24 uint64 attr_valid (seconds)
 *           32 uint32 entry_valid_nsec        36 uint32 attr_valid_nsec      40 attr (88 bytes)
 *   dirent   0 uint64 ino    8 uint64 off (of the next one)   16 uint32 namelen   20 uint32 type
 *           24 the name, and zeros up to a multiple of 8
 *
 *   LOOKUP       one entry
 *   READDIR      dirents, as many as were asked for
 *   READDIRPLUS  an entry and a dirent for each name; a nodeid of 0 says nothing of it
 *
 * Source: linux/fuse.h; `type` is that of readdir(3), the uppermost four bits of a mode.
 */
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { type FuseAttributes, lifetime, putAttributes } from './reply-codec.ts';

const entryLength = 128;
const direntLength = 24;
const typeShift = 12;
/** What programs see where a number cannot be told. */
const unknownInode = 0xffff_ffff;

/** A file, and how the kernel calls it from now on. */
export interface FuseEntry {
  readonly node: number;
  readonly attributes: FuseAttributes;
}

/** A name in a directory. */
export interface FuseName {
  readonly name: Uint8Array;
  /** What it stands for; undefined where that cannot be read, and whoever looks at it learns why. */
  readonly entry: FuseEntry | undefined;
}

/** The body of the answer to LOOKUP; undefined stands for no such file, which the kernel remembers as well. */
export function encodeEntry(entry: FuseEntry | undefined): Uint8Array {
  const writer = new ByteWriter(entryLength);
  putEntry(writer, entry);
  return writer.bytes;
}

/** How long the answer for a name of `nameLength` bytes is, in bytes. */
export function directoryEntryLength(nameLength: number, isPlus: boolean): number {
  return (isPlus ? entryLength : 0) + Math.ceil((direntLength + nameLength) / 8) * 8;
}

/** Writes what stands for a name; `next` is the offset of the one after it. Hot, see `putAttributes`. */
export function putDirectoryEntry(
  writer: ByteWriter,
  { entry, name }: FuseName,
  { isPlus, next }: { readonly isPlus: boolean; readonly next: number },
): void {
  const end = writer.position + directoryEntryLength(name.length, isPlus);
  // The kernel knows `.` and `..` itself, and wants to hear nothing of them.
  if (isPlus) putEntry(writer, isDots(name) ? undefined : entry);
  writer.u64le(entry?.attributes.inode ?? unknownInode);
  writer.u64le(next);
  writer.u32le(name.length);
  writer.u32le((entry?.attributes.mode ?? 0) >>> typeShift);
  writer.put(name);
  while (writer.position < end) writer.u8(0);
}

function putEntry(writer: ByteWriter, entry: FuseEntry | undefined): void {
  writer.u64le(entry?.node ?? 0);
  writer.u64le(0);
  writer.u64le(lifetime);
  writer.u64le(lifetime);
  writer.u64le(0);
  if (entry !== undefined) putAttributes(writer, entry.attributes);
  else for (let length = 0; length < entryLength - 40; length += 8) writer.u64le(0);
}

function isDots(name: Uint8Array): boolean {
  const dot = 0x2e;
  return name[0] === dot && (name.length === 1 || (name.length === 2 && name[1] === dot));
}
