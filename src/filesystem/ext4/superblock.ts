/*
 * The superblock of ext2, ext3 and ext4: 1024 bytes at byte 1024, little-endian.
 *
 *   byte   0  s_inodes_count            88  s_inode_size (16 bit)      336  s_blocks_count_hi
 *          4  s_blocks_count_lo         92  s_feature_compat           344  s_free_blocks_count_hi
 *          8  s_r_blocks_count_lo       16  s_free_inodes_count        340  s_r_blocks_count_hi
 *         12  s_free_blocks_count_lo    96  s_feature_incompat         373  s_checksum_type (8 bit), 1 CRC-32C
 *         20  s_first_data_block       100  s_feature_ro_compat        588  s_backup_bgs[2]
 *         24  s_log_block_size         104  s_uuid                     624  s_checksum_seed
 *         28  s_log_cluster_size       120  s_volume_name, 16 bytes    640  s_orphan_file_inum
 *         32  s_blocks_per_group       206  s_reserved_gdt_blocks (16) 1020 s_checksum
 *         40  s_inodes_per_group       224  s_journal_inum
 *         56  s_magic, ef53 (16 bit)   228  s_journal_dev
 *         58  s_state (16 bit)         236  s_hash_seed[4]             352  s_flags
 *                                      254  s_desc_size (16 bit)       584  s_overhead_clusters
 *                                                                      576  s_usr_quota_inum, s_grp_quota_inum
 *         76  s_rev_level              260  s_first_meta_bg           620  s_prj_quota_inum
 *
 * Source: Linux, Documentation/filesystems/ext4/super.rst.
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import type { HashOptions } from './name-hash.ts';

/** Where the superblock is, and how long, in bytes. */
export const superblockOffset = 1024;
export const superblockLength = 1024;

/** Bit of s_flags. */
const flagUnsignedHash = 2;

/** Bits of `incompat`: who does not know one of them cannot read the file system. */
export const incompat = {
  fileType: 0x2,
  recover: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  extents: 0x40,
  wide: 0x80,
  attributeInodes: 0x400,
  checksumSeed: 0x2000,
  inlineData: 0x8000,
} as const;

/** Bits of `roCompat`: who does not know one of them can read, not write. */
export const roCompat = { sparseSuper: 0x1, groupChecksums: 0x10, bigAlloc: 0x200, metadataChecksums: 0x400 } as const;

/** Bits of `compat`: who does not know one of them may do as it likes. */
export const compat = { journal: 0x4, sparseSuper2: 0x200, fastCommit: 0x400 } as const;

/** FILETYPE, RECOVER, META_BG, EXTENTS, 64BIT, MMP, FLEX_BG, EA_INODE, CSUM_SEED, LARGEDIR, INLINE_DATA, CASEFOLD, ENCRYPT. */
const knownIncompat =
  0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000;
const incompatNames: Readonly<Record<number, string>> = {
  1: 'compression',
  8: 'journal device',
  4096: 'dirdata',
};

/** The fields that matter to who reads. Sizes in bytes, places in blocks. */
export interface Superblock {
  readonly inodeCount: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  /** What only root may take. */
  readonly reservedBlockCount: number;
  readonly freeInodeCount: number;
  /** How much is the file system's own from the start on, up to the first data block too; 0 where nobody has counted it. */
  readonly overheadClusters: number;
  readonly firstDataBlock: number;
  readonly blockSize: number;
  /** How many blocks one bit of a block bitmap stands for. */
  readonly blocksPerCluster: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly groupCount: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  readonly firstMetaGroup: number;
  readonly reservedTableBlocks: number;
  readonly backupGroups: readonly [number, number];
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
  readonly uuid: Uint8Array;
  readonly label: string;
  readonly journalInode: number;
  /** The inodes of the file system's own that have numbers like others and no names: quotas, orphans. */
  readonly hiddenInodes: readonly number[];
  /** Bit 0: unmounted in order; bit 1: has errors. */
  readonly state: number;
  /** With which all other checksums begin. */
  readonly checksumSeed: number;
  /** By which directories with an index order their names. */
  readonly nameHashes: HashOptions;
}

/** Whether these 1024 bytes are a superblock of ext2, ext3 or ext4. */
export function looksLikeExt(bytes: Uint8Array): boolean {
  return bytes[56] === 0x53 && bytes[57] === 0xef;
}

/**
 * `name` is the disk's, for errors.
 *
 * @throws VarveError `CORRUPT`; `UNSUPPORTED` for features that change how it is read and are not known here
 */
export function decodeSuperblock(bytes: Uint8Array, name: string): Superblock {
  const superblock = fieldsOf(bytes);
  const corrupt = (why: string) => new VarveError('CORRUPT', `cannot read ${name}: the ext4 superblock ${why}`);
  if (!looksLikeExt(bytes)) throw corrupt('has no magic');
  refuseUnknown(superblock, name);
  const problem = problemOf(superblock, new ByteReader(bytes, 'superblock'));
  if (problem !== undefined) throw corrupt(problem);
  if ((superblock.roCompat & roCompat.metadataChecksums) !== 0 && !checksumFits(bytes)) {
    throw corrupt('does not fit its checksum');
  }
  return superblock;
}

function checksumFits(bytes: Uint8Array): boolean {
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1020, true);
  return stored === ~crc32c(bytes.subarray(0, 1020)) >>> 0;
}

function fieldsOf(bytes: Uint8Array): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, superblockLength);
  const u32 = (offset: number) => view.getUint32(offset, true);
  const u16 = (offset: number) => view.getUint16(offset, true);
  const isOld = u32(76) === 0;
  const features = { compat: u32(92), incompat: isOld ? 0 : u32(96), roCompat: isOld ? 0 : u32(100) };
  const isWide = (features.incompat & incompat.wide) !== 0;
  const uuid = bytes.slice(104, 120);
  const blockCount = u32(4) + (isWide ? u32(336) * 2 ** 32 : 0);
  const hasSeed = (features.incompat & incompat.checksumSeed) !== 0;
  return {
    ...{ inodeCount: u32(0), blockCount, freeBlockCount: u32(12) + (isWide ? u32(344) * 2 ** 32 : 0) },
    ...{ reservedBlockCount: u32(8) + (isWide ? u32(340) * 2 ** 32 : 0), freeInodeCount: u32(16) },
    overheadClusters: u32(584),
    ...{ firstDataBlock: u32(20), blockSize: 1024 * 2 ** Math.min(u32(24), 20), blocksPerGroup: u32(32) },
    blocksPerCluster: (features.roCompat & roCompat.bigAlloc) === 0 ? 1 : 2 ** Math.min(u32(28) - u32(24), 30),
    ...{ inodesPerGroup: u32(40), inodeSize: isOld ? 128 : u16(88), state: u16(58) },
    groupCount: Math.ceil((blockCount - u32(20)) / Math.max(1, u32(32))),
    descriptorSize: isWide ? u16(254) : 32,
    firstMetaGroup: (features.incompat & incompat.metaGroups) === 0 ? Number.POSITIVE_INFINITY : u32(260),
    ...{ reservedTableBlocks: u16(206), backupGroups: [u32(588), u32(592)], ...features, uuid },
    label: new TextDecoder().decode(bytes.subarray(120, 136)).replace(/\0.*$/s, ''),
    journalInode: u32(224),
    hiddenInodes: [576, 580, 620, 640].map(u32).filter((number) => number !== 0),
    // Where neither flag is set, whoever wrote names had signed characters, as on most machines.
    nameHashes: { seed: [236, 240, 244, 248].map(u32), isSigned: (u32(352) & flagUnsignedHash) === 0 },
    checksumSeed: hasSeed ? ~u32(624) >>> 0 : crc32c(uuid),
  };
}

function refuseUnknown({ incompat: features }: Superblock, name: string): void {
  const unknown = features & ~knownIncompat;
  if (unknown === 0) return;
  const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => (unknown & bit) !== 0);
  const names = bits.map((bit) => incompatNames[bit] ?? `bit 0x${bit.toString(16)}`).join(', ');
  throw new VarveError('UNSUPPORTED', `cannot read ${name}: its ext4 file system uses ${names}, unknown here`);
}

function problemOf(superblock: Superblock, reader: ByteReader): string | undefined {
  const { blockSize, blocksPerGroup, inodesPerGroup, inodeSize, descriptorSize, blockCount } = superblock;
  if (blockSize > 65_536) return `has blocks of ${blockSize} bytes`;
  if (!Number.isInteger(Math.log2(superblock.blocksPerCluster))) return 'has clusters smaller than its blocks';
  if (blocksPerGroup === 0 || blocksPerGroup > blockSize * 8 * superblock.blocksPerCluster) {
    return `has ${blocksPerGroup} blocks a group`;
  }
  if (inodesPerGroup === 0 || inodesPerGroup > blockSize * 8) return `has ${inodesPerGroup} inodes a group`;
  const isPower = (size: number) => Number.isInteger(Math.log2(size));
  if (inodeSize < 128 || inodeSize > blockSize || !isPower(inodeSize)) return `has inodes of ${inodeSize} bytes`;
  if (descriptorSize < 32 || descriptorSize > blockSize || !isPower(descriptorSize)) {
    return `has group descriptors of ${descriptorSize} bytes`;
  }
  if (!Number.isSafeInteger(blockCount * blockSize)) return `has ${blockCount} blocks`;
  reader.seek(24);
  if (reader.u32le() > 6) return 'has blocks that are too large';
  return superblock.firstDataBlock < blockCount ? undefined : 'has no blocks';
}
