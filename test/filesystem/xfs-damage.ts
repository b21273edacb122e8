import type { MemoryDevice } from '../../src/block/memory-device.ts';
import { crc32c } from '../../src/bytes/crc32c.ts';
import { withWrites } from './with-writes.ts';

/** Where the checksum of a structure is that begins with four letters, and how long it is; 0 for a whole block. */
const byLetters: Readonly<Record<string, readonly [place: number, length: number]>> = {
  ...{ XFSB: [224, 512], XAGF: [216, 512], XAGI: [312, 512], XAFL: [32, 512] },
  ...{ AB3B: [52, 0], AB3C: [52, 0], FIB3: [52, 0], IAB3: [52, 0], RMB3: [52, 0], R3FC: [52, 0], BMA3: [64, 0] },
  ...{ XDB3: [4, 0], XDD3: [4, 0], XDF3: [4, 0], XSLM: [12, 0], XARM: [12, 0] },
};
const hashMagics = [0x3df1, 0x3dff, 0x3ebe, 0x3bee];
const inodeSize = 512;
/** Records of the log with one header; its checksum goes over so many bytes of that, and all that follows. */
const recordMagic = 0xfeed_babe;
const recordHeader = 328;

/** A structure with a checksum. */
interface Structure {
  readonly offset: number;
  readonly length: number;
  /** Where its checksum is in it. */
  readonly place: number;
  readonly isRecord: boolean;
}

/** How `damagedWithChecksums` finds structures. */
export interface XfsDamageOptions {
  readonly blockSize: number;
  /** Writes go where they are said to; else they are spread over all structures, or over the records of the log. */
  readonly where?: 'exact' | 'log';
}

/**
 * A device with an XFS of version 5, sectors of 512 bytes and inodes of 512 bytes, on which every byte that is written
 * damages a structure, whose checksum is then made to fit.
 */
export function damagedWithChecksums(device: MemoryDevice, { blockSize, where }: XfsDamageOptions): MemoryDevice {
  const structures = structuresOn(device, blockSize).filter(({ isRecord }) => isRecord === (where === 'log'));
  const isExact = where === 'exact';
  return withWrites(device, (source, offset) => {
    const found = isExact
      ? structures.find((one) => offset >= one.offset && offset < one.offset + one.length)
      : structures[(offset * 7919) % structures.length];
    if (found === undefined) throw new RangeError(`there is no structure at byte ${offset}`);
    const inside = isExact ? offset - found.offset : offset % found.length;
    device.write(source.subarray(0, found.length - inside), found.offset + inside);
    fixChecksum(device, found);
  });
}

function structuresOn(device: MemoryDevice, blockSize: number): Structure[] {
  const structures: Structure[] = [];
  for (const run of device.extents(0, device.size)) {
    if (run.kind !== 'data') continue;
    for (let offset = run.offset; offset < run.offset + run.length; offset += 512) {
      const bytes = Buffer.alloc(512);
      device.read(bytes, offset);
      const found = structureAt(bytes, offset, blockSize);
      if (found !== undefined) structures.push(found);
    }
  }
  return structures;
}

function structureAt(bytes: Buffer, offset: number, blockSize: number): Structure | undefined {
  if (bytes.readUInt32BE(0) === recordMagic) {
    return { offset, length: 512 + bytes.readUInt32BE(12), place: 32, isRecord: true };
  }
  if (bytes.toString('latin1', 0, 2) === 'IN') return { offset, length: inodeSize, place: 100, isRecord: false };
  const [place, length] = byLetters[bytes.toString('latin1', 0, 4)] ?? [0, 0];
  if (place > 0 && (length > 0 || offset % blockSize === 0)) {
    return { offset, length: length || blockSize, place, isRecord: false };
  }
  const isHashes = offset % blockSize === 0 && hashMagics.includes(bytes.readUInt16BE(8));
  return isHashes ? { offset, length: blockSize, place: 12, isRecord: false } : undefined;
}

function fixChecksum(device: MemoryDevice, { offset, length, place, isRecord }: Structure): void {
  const bytes = Buffer.alloc(length);
  device.read(bytes, offset);
  bytes.writeUInt32LE(0, place);
  const summed = isRecord ? Buffer.concat([bytes.subarray(0, recordHeader), bytes.subarray(512)]) : bytes;
  bytes.writeUInt32LE(crc32c(summed), place);
  device.write(bytes, offset);
}
