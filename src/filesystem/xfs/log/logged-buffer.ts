/*
 * A buffer's item in the log: some blocks of the disk of which parts of 128 bytes were changed; little-endian.
 *
 *   byte  0  blf_type, 123c (16 bit)       8  blf_blkno (64 bit), in sectors of 512 bytes
 *         2  blf_size (16 bit)            16  blf_map_size, how many of blf_data_map there are
 *         4  blf_flags (16 bit)           20  blf_data_map, 32 bits each, a bit for each part
 *         6  blf_len (16 bit), sectors
 *
 * blf_flags: 1 only links between deleted inodes were changed, 2 what was there is gone, and from bit 11 on what it is. Each
 * run of parts is an operation of its own.
 *
 * Source: Linux, fs/xfs/libxfs/xfs_log_format.h, "Buffer Log Format".
 */
import { bytesOf } from '../metadata-header.ts';
import type { XfsVolume } from '../volume.ts';
import { sectorSize } from './log-ring.ts';
import type { LogItem } from './log-transactions.ts';
import type { ReplayedBlocks } from './replayed-blocks.ts';

const partLength = 128;
const headerLength = 20;
const flags = { unlinked: 1, cancel: 2 } as const;
const inodeChecksum = 100;
const inodeBuffer = 8;
/** Where the checksum is, by what the buffer is: AGF, AGFL, AGI, symlink, names in four kinds, hashes in four, superblock. */
const checksums: Readonly<Record<number, number>> = {
  ...{ 5: 216, 6: 32, 7: 312, 9: 12, 10: 4, 11: 4, 12: 4 },
  ...{ 13: 12, 14: 12, 15: 12, 16: 12, 18: 224 },
};
const treeBuffer = 4;
const valueBuffer = 17;
const forkTreeMagic = 0x424d_4133;

/** A buffer that was changed. */
export interface LoggedBuffer {
  /** In bytes, as is its length. */
  readonly place: number;
  readonly length: number;
  /** Nothing logged of it before is to be done. */
  readonly isCancelled: boolean;
  /** It matters to nobody who reads. */
  readonly isIgnored: boolean;
  readonly kind: number;
  /** Changed parts, and where they belong, in bytes from its start. */
  readonly changes: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** Takes a buffer's item apart; undefined where it cannot be one. */
export function decodeBuffer({ parts }: LogItem): LoggedBuffer | undefined {
  const [header, ...regions] = parts;
  if (header === undefined || header.byteLength < headerLength) return undefined;
  const bits = header.getUint16(4, true);
  const place = (header.getUint32(8, true) + header.getUint32(12, true) * 2 ** 32) * sectorSize;
  const length = header.getUint16(6, true) * sectorSize;
  if (!Number.isSafeInteger(place)) return undefined;
  return {
    ...{ place, length, kind: bits >> 11, changes: changesOf(header, regions, length) },
    ...{ isCancelled: (bits & flags.cancel) !== 0, isIgnored: (bits & flags.unlinked) !== 0 },
  };
}

function changesOf(header: DataView, regions: readonly DataView[], length: number): LoggedBuffer['changes'] {
  const most = Math.min(header.getUint32(16, true) * 4, header.byteLength - headerLength) * 8;
  const isChanged = (part: number) => (header.getUint8(headerLength + (part >> 3)) & (1 << (part & 7))) !== 0;
  const changes: { offset: number; bytes: Uint8Array }[] = [];
  let next = 0;
  for (let part = 0; part < most && next < regions.length; ) {
    if (!isChanged(part)) {
      part++;
      continue;
    }
    let count = 1;
    while (part + count < most && isChanged(part + count)) count++;
    const region = bytesOf(regions[next++]!);
    // A run may be in several regions.
    const taken = Math.min(count, Math.max(1, Math.floor(region.length / partLength)));
    const bytes = region.subarray(0, Math.min(taken * partLength, Math.max(0, length - part * partLength)));
    changes.push({ offset: part * partLength, bytes });
    part += taken;
  }
  return changes;
}

/** Does what the log says of a buffer, and makes its checksums fit. */
export async function replayBuffer(volume: XfsVolume, blocks: ReplayedBlocks, buffer: LoggedBuffer): Promise<void> {
  const { place, length, kind } = buffer;
  for (const { offset, bytes } of buffer.changes) await blocks.write(place + offset, bytes);
  if (volume.superblock.version === 4 || length === 0) return;
  const { inodeSize, blockSize } = volume.superblock;
  const pieces = kind === inodeBuffer ? inodeSize : kind === valueBuffer ? blockSize : length;
  const at = kind === inodeBuffer ? inodeChecksum : await checksumPlace(blocks, buffer);
  if (at === undefined) return;
  for (let done = 0; done + pieces <= length; done += pieces) await blocks.fixChecksum(place + done, pieces, at);
}

async function checksumPlace(blocks: ReplayedBlocks, { place, kind }: LoggedBuffer): Promise<number | undefined> {
  if (kind === valueBuffer) return 12;
  if (kind !== treeBuffer) return checksums[kind];
  const magic = new DataView((await blocks.read(place, 4)).buffer).getUint32(0);
  return magic === forkTreeMagic ? 64 : 52;
}
