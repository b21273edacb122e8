/*
 * The superblock of XFS: the first sector of the disk, big-endian; each allocation group begins with a copy.
 *
 *   byte   0  sb_magicnum, "XFSB"       100  sb_versionnum (16 bit)   184  sb_unit
 *          4  sb_blocksize              102  sb_sectsize (16 bit)     192  sb_dirblklog (8 bit)
 *          8  sb_dblocks (64 bit)       104  sb_inodesize (16 bit)    200  sb_features2
 *         16  sb_rblocks (64 bit)       160  sb_uquotino (64 bit)     232  sb_pquotino (64 bit)
 *         64  sb_rbmino (64 bit)        168  sb_gquotino (64 bit)
 *         72  sb_rsumino (64 bit)
 *         32  sb_uuid, 16 bytes         106  sb_inopblock (16 bit)    212  sb_features_ro_compat
 *         48  sb_logstart (64 bit)      108  sb_fname, 12 bytes       216  sb_features_incompat
 *         56  sb_rootino (64 bit)       120  sb_blocklog (8 bit)      220  sb_features_log_incompat
 *         84  sb_agblocks               121  sb_sectlog (8 bit)       224  sb_crc, little-endian
 *         88  sb_agcount                122  sb_inodelog (8 bit)      248  sb_meta_uuid, 16 bytes
 *         96  sb_logblocks              123  sb_inopblog (8 bit)
 *                                       124  sb_agblklog (8 bit)
 *                                       126  sb_inprogress (8 bit)
 *                                       144  sb_fdblocks (64 bit)
 *
 * sb_versionnum: the version in the low four bits, 4 or 5; 2000 directories of version 2, 4000 names without case, 8000
 * sb_features2 counts. sb_features2: 2 counters are kept up lazily, 200 directories keep the kinds of files.
 *
 * Source: XFS Algorithms & Data Structures, "Superblocks".
 */
import { VarveError } from '../../base/varve-error.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import { u64 } from './big-endian.ts';
import { bytesOf, fitsChecksum } from './metadata-header.ts';

/** The least that a superblock takes, in bytes: the smallest sector; and the most. */
export const smallestSector = 512;
const largestSector = 32_768;

const versionBits = { directory2: 0x2000, noCase: 0x4000, more: 0x8000 } as const;
const features2 = { lazyCounters: 0x2, fileType: 0x200 } as const;
/** Bits of sb_features_incompat that change what is read. */
const incompat = { fileType: 0x1, sparseInodes: 0x2, metaUuid: 0x4, needsRepair: 0x10 } as const;
/** File types, sparse inodes, metadata UUID, big times, needs repair, large extent counts, exchanged ranges, parent pointers. */
const knownIncompat = 0xff;
/** Attributes that are set in several transactions. */
const knownLogFeatures = 0x1;
const incompatNames: Readonly<Record<number, string>> = { 256: 'a directory of metadata', 512: 'zones' };

/** The fields that matter to who reads. Sizes in bytes, places in blocks. */
export interface Superblock {
  readonly version: 4 | 5;
  readonly blockSize: number;
  readonly sectorSize: number;
  readonly inodeSize: number;
  readonly blockCount: number;
  readonly groupBlocks: number;
  readonly groupCount: number;
  /** How many bits of a block's number are its place in its group, and how many of an inode's its place in its block. */
  readonly groupBlockBits: number;
  readonly inodeBits: number;
  readonly directoryBlockSize: number;
  readonly rootInode: number;
  /** The first block of the log, with its group, 0 where the log is on another disk; and how many there are. */
  readonly logStart: number;
  readonly logBlocks: number;
  readonly freeBlockCount: number;
  readonly uuid: Uint8Array;
  /** What metadata is marked with. */
  readonly metaUuid: Uint8Array;
  readonly label: string;
  /** Directories say what kind each name is. */
  readonly hasFileType: boolean;
  /** Upper and lower case of ASCII and Latin 1 are the same in names. */
  readonly ignoresCase: boolean;
  /** The count of free blocks leaves out those of the free space trees, which may be used for anything else. */
  readonly hasLazyCounters: boolean;
  /** Of the 64 inodes of a chunk, some may not be there. */
  readonly hasSparseInodes: boolean;
  /** How many blocks there are on the realtime device. */
  readonly realtimeBlockCount: number;
  /** Inodes of the file system's own, which have no names: quotas, and what the realtime device needs. */
  readonly hiddenInodes: readonly number[];
  /** A repair began and did not end. */
  readonly needsRepair: boolean;
  /** Features of the log that are not known here, as bits: only a log that was not written back may have them. */
  readonly unknownLogFeatures: number;
}

/** Whether these bytes are the beginning of an XFS. */
export function looksLikeXfs(bytes: Uint8Array): boolean {
  return isEqual(bytes.subarray(0, 4), Uint8Array.of(0x58, 0x46, 0x53, 0x42));
}

/** How long the sector is that the superblock fills, as its first 512 bytes say; those, where they say what cannot be. */
export function sectorSizeOf(bytes: Uint8Array): number {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint16(102);
  return isPowerWithin(size, smallestSector, largestSector) ? size : smallestSector;
}

/**
 * `name` is the disk's, for errors; `bytes` are the whole first sector.
 *
 * @throws VarveError `CORRUPT`; `UNSUPPORTED` for features that change how it is read and are not known here
 */
export function decodeSuperblock(bytes: Uint8Array, name: string): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const corrupt = (why: string) => new VarveError('CORRUPT', `cannot read ${name}: the XFS superblock ${why}`);
  if (!looksLikeXfs(bytes)) throw corrupt('has no magic');
  if ((view.getUint16(100) & 15) === 5 && !fitsChecksum(view, 224)) throw corrupt('does not fit its checksum');
  refuseUnknown(view, name);
  const problem = problemOf(view);
  if (problem !== undefined) throw corrupt(problem);
  return fieldsOf(view);
}

function refuseUnknown(view: DataView, name: string): void {
  const unsupported = (what: string) =>
    new VarveError('UNSUPPORTED', `cannot read ${name}: its XFS file system ${what}`);
  const version = view.getUint16(100) & 15;
  if (version !== 4 && version !== 5) throw unsupported(`is of version ${version}, unknown here`);
  if (version === 4 && (view.getUint16(100) & versionBits.directory2) === 0) {
    throw unsupported('has directories of version 1, unknown here');
  }
  const unknown = version === 5 ? view.getUint32(216) & ~knownIncompat : 0;
  if (unknown === 0) return;
  const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => (unknown & bit) !== 0);
  const names = bits.map((bit) => incompatNames[bit] ?? `incompatible feature 0x${bit.toString(16)}`);
  throw unsupported(`uses ${names.join(', ')}, unknown here`);
}

function problemOf(view: DataView): string | undefined {
  const [blockSize, sectorSize, inodeSize] = [view.getUint32(4), view.getUint16(102), view.getUint16(104)];
  if (!isPowerWithin(blockSize, 512, 65_536)) return `has blocks of ${blockSize} bytes`;
  if (!isPowerWithin(sectorSize, smallestSector, Math.min(blockSize, largestSector))) {
    return `has sectors of ${sectorSize} bytes`;
  }
  if (!isPowerWithin(inodeSize, 256, Math.min(blockSize, 2048))) return `has inodes of ${inodeSize} bytes`;
  if (blockSize * 2 ** view.getUint8(192) > 65_536) return 'has directory blocks that are too large';
  const [blockCount, groupBlocks, groupCount] = [u64(view, 8), view.getUint32(84), view.getUint32(88)];
  if (!Number.isSafeInteger(blockCount * blockSize)) return `has ${blockCount} blocks`;
  if (groupBlocks * blockSize < sectorSize * 4) return `has ${groupBlocks} blocks a group`;
  if (groupCount === 0 || Math.ceil(blockCount / groupBlocks) !== groupCount) {
    return `has ${groupCount} groups of ${groupBlocks} blocks for ${blockCount} blocks`;
  }
  const bits = view.getUint8(124);
  if (2 ** bits < groupBlocks || bits > 31) return `counts the blocks of a group with ${bits} bits`;
  if (2 ** view.getUint8(123) !== blockSize / inodeSize) return `has 2^${view.getUint8(123)} inodes a block`;
  return view.getUint8(126) === 0 ? undefined : 'says that it is not finished yet';
}

function fieldsOf(view: DataView): Superblock {
  const bytes = bytesOf(view);
  const version = (view.getUint16(100) & 15) as 4 | 5;
  const isNew = version === 5;
  const newBits = isNew ? view.getUint32(216) : 0;
  const bits2 = isNew || (view.getUint16(100) & versionBits.more) !== 0 ? view.getUint32(200) : 0;
  const uuid = bytes.slice(32, 48);
  return {
    ...{ version, blockSize: view.getUint32(4), sectorSize: view.getUint16(102), inodeSize: view.getUint16(104) },
    ...{ blockCount: u64(view, 8), groupBlocks: view.getUint32(84), groupCount: view.getUint32(88) },
    ...{ groupBlockBits: view.getUint8(124), inodeBits: view.getUint8(123), rootInode: u64(view, 56) },
    directoryBlockSize: view.getUint32(4) * 2 ** view.getUint8(192),
    ...{ logStart: u64(view, 48), logBlocks: view.getUint32(96), freeBlockCount: u64(view, 144) },
    ...{ uuid, metaUuid: (newBits & incompat.metaUuid) === 0 ? uuid : bytes.slice(248, 264) },
    label: new TextDecoder().decode(bytes.subarray(108, 120)).replace(/\0.*$/s, ''),
    hasFileType: isNew ? (newBits & incompat.fileType) !== 0 : (bits2 & features2.fileType) !== 0,
    ignoresCase: (view.getUint16(100) & versionBits.noCase) !== 0,
    hasLazyCounters: isNew || (bits2 & features2.lazyCounters) !== 0,
    hasSparseInodes: (newBits & incompat.sparseInodes) !== 0,
    realtimeBlockCount: u64(view, 16),
    // Those that are not there are 0, or 2^64-1.
    hiddenInodes: [64, 72, 160, 168, 232]
      .map((offset) => u64(view, offset))
      .filter((each) => each > 0 && each < 2 ** 63),
    needsRepair: (newBits & incompat.needsRepair) !== 0,
    unknownLogFeatures: isNew ? (view.getUint32(220) & ~knownLogFeatures) >>> 0 : 0,
  };
}

function isPowerWithin(size: number, least: number, most: number): boolean {
  return size >= least && size <= most && Number.isInteger(Math.log2(size));
}
