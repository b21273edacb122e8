/*
 * The item of inodes that were made, big-endian but for its first two fields.
 *
 *   byte  0  icl_type, 123f (16 bit)     4  icl_ag        12  icl_count      20  icl_length, blocks
 *         2  icl_size (16 bit)           8  icl_agbno     16  icl_isize      24  icl_gen
 *
 * Source: Linux, fs/xfs/libxfs/xfs_log_format.h, "Inode create logging".
 */
import type { XfsVolume } from '../volume.ts';
import type { LogItem } from './log-transactions.ts';
import type { ReplayedBlocks } from './replayed-blocks.ts';

const itemLength = 28;
const magic = 0x494e;
const nobody = 0xffff_ffff;

/** Inodes that were made, and are not in use yet. */
export interface LoggedInodes {
  /** Where they are, in bytes. */
  readonly place: number;
  readonly length: number;
  /** The number of the first one. */
  readonly first: number;
  readonly generation: number;
}

/** Takes an item of inodes apart; undefined where it cannot be one. */
export function decodeLoggedInodes(volume: XfsVolume, { parts }: LogItem): LoggedInodes | undefined {
  const [item] = parts;
  if (item === undefined || item.byteLength < itemLength) return undefined;
  const [group, index, count] = [item.getUint32(4), item.getUint32(8), item.getUint32(20)];
  const { blockSize, groupBlockBits, inodeBits } = volume.superblock;
  const block = volume.blockInGroup(group, index, { count, what: 'what the log makes inodes of' });
  const first = (group * 2 ** groupBlockBits + index) * 2 ** inodeBits;
  return { place: block * blockSize, length: count * blockSize, first, generation: item.getUint32(24) };
}

/** Makes the inodes; nothing but version 5 logs them in this way. */
export async function replayInodes(volume: XfsVolume, blocks: ReplayedBlocks, made: LoggedInodes): Promise<void> {
  const { inodeSize, metaUuid } = volume.superblock;
  for (let index = 0; index * inodeSize < made.length; index++) {
    const inode = new DataView(new ArrayBuffer(inodeSize));
    inode.setUint16(0, magic);
    inode.setUint8(4, 3);
    inode.setUint32(92, made.generation);
    inode.setUint32(96, nobody);
    inode.setBigUint64(152, BigInt(made.first + index));
    const bytes = new Uint8Array(inode.buffer);
    bytes.set(metaUuid, 160);
    await blocks.write(made.place + index * inodeSize, bytes);
    await blocks.fixChecksum(made.place + index * inodeSize, inodeSize, 100);
  }
}
