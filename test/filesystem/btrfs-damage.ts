import type { MemoryDevice } from '../../src/block/memory-device.ts';
import { crc32c } from '../../src/bytes/crc32c.ts';

const superblockPlace = 65_536;
const superblockLength = 4096;
const checksumLength = 32;
const headerLength = 101;
/** How much of a block of a tree is damaged more often than the rest: its header and its first entries. */
const busyLength = 700;

/** A structure that begins with its checksum. */
interface Structure {
  readonly offset: number;
  readonly length: number;
}

/**
 * A device with a Btrfs with CRC-32C and one copy of its metadata, on which every byte that is written damages a structure
 * after the other, whose checksum is then made to fit.
 */
export function damagedWithChecksums(device: MemoryDevice): MemoryDevice {
  const structures = structuresOn(device);
  const write = (source: Uint8Array, offset: number) => {
    const found = structures[(offset * 7919) % structures.length]!;
    const range = offset % 3 === 0 ? found.length : Math.min(found.length, busyLength);
    const inside = checksumLength + (offset % (range - checksumLength));
    device.write(source.subarray(0, found.length - inside), found.offset + inside);
    fixChecksum(device, found);
  };
  return {
    ...{ size: device.size, blockSize: device.blockSize, supports: device.supports, write },
    read: (target, offset) => device.read(target, offset),
    zero: (offset, length) => device.zero(offset, length),
    trim: (offset, length) => device.trim(offset, length),
    flush: () => device.flush(),
    extents: (offset, length) => device.extents(offset, length),
    resize: (size) => device.resize(size),
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  };
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
      if (isBlock && offset !== superblockPlace) structures.push({ offset, length });
    }
  }
  return structures;
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
