import type { MemoryDevice } from '../../src/block/memory-device.ts';
import { crc32c } from '../../src/bytes/crc32c.ts';
import { withWrites } from './with-writes.ts';

const superblockPlace = 65_536;
const superblockLength = 4096;
const checksumLength = 32;
const headerLength = 101;
const itemLength = 25;
const keyLength = 17;
/** How much of a block of a tree is damaged more often than the rest: its header and its first entries. */
const busyLength = 700;

/** A structure that begins with its checksum. */
interface Structure {
  readonly offset: number;
  readonly length: number;
  /** Where what the items of a leaf hold begins in it. */
  readonly contents?: number;
}

/**
 * A device with a Btrfs with CRC-32C and one copy of its metadata, on which every byte that is written damages a structure
 * after the other, whose checksum is then made to fit.
 */
export function damagedWithChecksums(device: MemoryDevice): MemoryDevice {
  const structures = structuresOn(device);
  return withWrites(device, (source, offset) => {
    const found = structures[(offset * 7919) % structures.length]!;
    const [start, end] = damagedPart(found, offset % 5);
    const inside = start + (offset % (end - start));
    device.write(source.subarray(0, found.length - inside), found.offset + inside);
    fixChecksum(device, found);
  });
}

/** Mostly what items hold; else headers and entries, and sometimes anything. */
function damagedPart({ length, contents }: Structure, choice: number): [start: number, end: number] {
  if (contents !== undefined && choice < 3) return [contents, length];
  return [checksumLength, choice === 4 ? length : Math.min(length, busyLength)];
}

/** The superblock, and the blocks of trees of its generation and those before. */
function structuresOn(device: MemoryDevice): Structure[] {
  const superblock = bytesAt(device, superblockPlace, superblockLength);
  const fsid = superblock.subarray(32, 48);
  const length = superblock.readUInt32LE(148);
  const structures: Structure[] = [{ offset: superblockPlace, length: superblockLength }];
  for (const run of device.extents(0, device.size)) {
    if (run.kind !== 'data') continue;
    for (let offset = run.offset; offset + length <= run.offset + run.length; offset += superblockLength) {
      const header = bytesAt(device, offset, headerLength);
      const isBlock = header.subarray(32, 48).equals(fsid) && header.readUInt32LE(96) > 0 && header[100]! < 8;
      if (isBlock && offset !== superblockPlace) structures.push(blockAt(bytesAt(device, offset, length), offset));
    }
  }
  return structures;
}

function blockAt(bytes: Buffer, offset: number): Structure {
  const { length } = bytes;
  const lastItem = headerLength + (bytes.readUInt32LE(96) - 1) * itemLength;
  const contents = bytes[100] === 0 && lastItem < length - itemLength ? bytes.readUInt32LE(lastItem + keyLength) : 0;
  const isLeaf = contents > 0 && headerLength + contents < length;
  return isLeaf ? { offset, length, contents: headerLength + contents } : { offset, length };
}

function fixChecksum(device: MemoryDevice, { offset, length }: Structure): void {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32c(bytesAt(device, offset + checksumLength, length - checksumLength)));
  device.write(sum, offset);
}

function bytesAt(device: MemoryDevice, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  device.read(bytes, offset);
  return bytes;
}
