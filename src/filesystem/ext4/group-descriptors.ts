/*
 * A block group's descriptor: 32 bytes, or more where blocks have 64-bit numbers; little-endian.
 *
 *   byte  0  bg_block_bitmap_lo         32  bg_block_bitmap_hi
 *         4  bg_inode_bitmap_lo         36  bg_inode_bitmap_hi
 *         8  bg_inode_table_lo          40  bg_inode_table_hi
 *        12  bg_free_blocks_count_lo (16 bit)
 *        18  bg_flags (16 bit): 1 the inodes, 2 the block bitmap was never written
 *        24  bg_block_bitmap_csum_lo (16 bit)   56  bg_block_bitmap_csum_hi (16 bit)
 *        26  bg_inode_bitmap_csum_lo (16 bit)   58  bg_inode_bitmap_csum_hi (16 bit)
 *        30  bg_checksum (16 bit)
 *
 * They stand in the blocks after the superblock; in groups from s_first_meta_bg on in the first block of each run of
 * groups whose descriptors fill a block.
 *
 * Source: Linux, Documentation/filesystems/ext4/group_descr.rst and blockgroup.rst.
 */
import { VarveError } from '../../base/varve-error.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import type { DevicePages } from '../../block/device-pages.ts';
import { asStored, chained } from './checksum.ts';
import { roCompat, type Superblock, superblockOffset } from './superblock.ts';

const inodesUninitialised = 1;
const blockBitmapUninitialised = 2;

/** Where a group keeps what, in blocks. */
export interface GroupDescriptor {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly flags: number;
  readonly hasBlockBitmap: boolean;
  /** Of the block bitmap; 16 bits where descriptors are short. */
  readonly blockBitmapChecksum: number;
  /** False where no inode of the group was ever used. */
  readonly hasInodeBitmap: boolean;
  /** As that of the block bitmap. */
  readonly inodeBitmapChecksum: number;
}

/** The descriptors of a file system's block groups, read when they are asked for. */
export class GroupDescriptors {
  readonly #superblock: Superblock;
  readonly #pages: DevicePages;
  readonly #name: string;
  readonly #known = new Map<number, GroupDescriptor>();

  constructor(superblock: Superblock, pages: DevicePages, name: string) {
    this.#superblock = superblock;
    this.#pages = pages;
    this.#name = name;
  }

  /** @throws VarveError `CORRUPT` */
  get(group: number): MaybePromise<GroupDescriptor> {
    const known = this.#known.get(group);
    if (known !== undefined) return known;
    const { descriptorSize, blockSize } = this.#superblock;
    const perBlock = blockSize / descriptorSize;
    const block = this.#blockOf(Math.floor(group / perBlock), perBlock);
    const page = this.#pages.get(block * blockSize, blockSize, `table of block groups, of group ${group},`);
    return page instanceof Promise ? page.then((read) => this.#keep(group, read)) : this.#keep(group, page);
  }

  #keep(group: number, page: DataView): GroupDescriptor {
    const { descriptorSize, blockSize } = this.#superblock;
    const start = page.byteOffset + (group % (blockSize / descriptorSize)) * descriptorSize;
    const descriptor = this.#decode(new Uint8Array(page.buffer, start, descriptorSize), group);
    if (this.#known.size > 100_000) this.#known.clear();
    this.#known.set(group, descriptor);
    return descriptor;
  }

  /** The block in which part `part` of the descriptors is. */
  #blockOf(part: number, perBlock: number): number {
    const { firstDataBlock, firstMetaGroup, blocksPerGroup } = this.#superblock;
    if (part < firstMetaGroup) return superblockBlock(this.#superblock) + 1 + part;
    const group = part * perBlock;
    return firstDataBlock + group * blocksPerGroup + (hasSuperblock(this.#superblock, group) ? 1 : 0);
  }

  #decode(bytes: Uint8Array, group: number): GroupDescriptor {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isWide = bytes.length >= 64;
    const place = (low: number, high: number) =>
      view.getUint32(low, true) + (isWide ? view.getUint32(high, true) * 2 ** 32 : 0);
    this.#check(bytes, view, group);
    const flags = view.getUint16(18, true);
    const hasFlags = (this.#superblock.roCompat & (roCompat.groupChecksums | roCompat.metadataChecksums)) !== 0;
    return {
      ...{ blockBitmap: place(0, 32), inodeBitmap: place(4, 36), inodeTable: place(8, 40), flags },
      hasBlockBitmap: !hasFlags || (flags & blockBitmapUninitialised) === 0,
      blockBitmapChecksum: view.getUint16(24, true) + (isWide ? view.getUint16(56, true) * 0x1_0000 : 0),
      hasInodeBitmap: !hasFlags || (flags & inodesUninitialised) === 0,
      inodeBitmapChecksum: view.getUint16(26, true) + (isWide ? view.getUint16(58, true) * 0x1_0000 : 0),
    };
  }

  #check(bytes: Uint8Array, view: DataView, group: number): void {
    if ((this.#superblock.roCompat & roCompat.metadataChecksums) === 0) return;
    const zeros = new Uint8Array(2);
    const sum = chained(this.#superblock.checksumSeed, group, bytes.subarray(0, 30), zeros, bytes.subarray(32));
    if ((asStored(sum) & 0xffff) === view.getUint16(30, true)) return;
    throw new VarveError('CORRUPT', `cannot read ${this.#name}: block group ${group} does not fit its checksum`);
  }
}

/** The block that the superblock is in: the first data block, but for clusters of blocks of 1 KiB, which begin at block 0. */
export function superblockBlock({ blockSize, firstDataBlock }: Superblock): number {
  return Math.max(firstDataBlock, Math.floor(superblockOffset / blockSize));
}

/** Whether a group begins with a copy of the superblock. Source: blockgroup.rst, "Flexible block groups" and before. */
export function hasSuperblock(superblock: Superblock, group: number): boolean {
  if (group === 0) return true;
  if ((superblock.compat & 0x200) !== 0) return superblock.backupGroups.includes(group);
  if (group === 1 || (superblock.roCompat & roCompat.sparseSuper) === 0) return true;
  return [3, 5, 7].some((base) => isPowerOf(base, group));
}

function isPowerOf(base: number, number: number): boolean {
  let power = base;
  while (power < number) power *= base;
  return power === number;
}
