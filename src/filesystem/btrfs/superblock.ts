/*
 * The superblock: 4096 bytes at 64 KiB, with copies at 64 MiB and 256 GiB; little-endian.
 *
 *   byte   0  csum, 32 bytes, of all that follows      144  sectorsize (32 bit)      196  csum_type (16 bit)
 *         32  fsid, 16 bytes                           148  nodesize (32 bit)        198  root_level (8 bit)
 *         48  bytenr, where this copy is               160  sys_chunk_array_size     199  chunk_root_level (8 bit)
 *         56  flags                                         (32 bit)                 200  log_root_level (8 bit)
 *         64  magic, "_BHRfS_M"                        164  chunk_root_generation    201  dev_item, 98 bytes
 *         72  generation                               172  compat_flags             299  label, 256 bytes
 *         80  root, of the tree of roots               180  compat_ro_flags          571  metadata_uuid, 16 bytes
 *         88  chunk_root                               188  incompat_flags           811  sys_chunk_array, 2048 bytes
 *         96  log_root                                 112  total_bytes
 *        120  bytes_used                               136  num_devices
 *
 * dev_item begins with devid and total_bytes (64 bit each). What has no width here has 64 bits.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", superblock; btrfs-progs, kernel-shared/uapi/btrfs_tree.h (features, flags).
 */
import { VarveError } from '../../base/varve-error.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import { type ChecksumKind, checksumKinds } from './checksum.ts';
import { u64, viewOf } from './little-endian.ts';

/** Where superblocks are, the first one first, and how long they are, in bytes. */
export const superblockPlaces: readonly number[] = [2 ** 16, 2 ** 26, 2 ** 38];
export const superblockLength = 4096;

const magic = new TextEncoder().encode('_BHRfS_M');
const arrayStart = 811;
const arrayLength = 2048;
const labelStart = 299;
const labelLength = 256;

/** Bits of `incompat`: who does not know one of them cannot read the file system. */
const incompat = { metadataUuid: 0x400, extentTreeV2: 0x2000, stripeTree: 0x4000, remapTree: 0x2_0000 } as const;
/** MIXED_BACKREF to ZONED, and SIMPLE_QUOTA. */
const knownIncompat = 0x1fff | 0x1_0000;
const incompatNames: Readonly<Record<number, string>> = {
  [incompat.extentTreeV2]: 'extent tree v2',
  [incompat.stripeTree]: 'a RAID stripe tree',
  [incompat.remapTree]: 'a remap tree',
};

/** Bits of `compatRo`: who does not know one of them can read, not write. */
const compatRo = { blockGroupTree: 0x8 } as const;
const knownCompatRo = 0xf;

/** How the superblock says where the root of a tree is. */
export interface TreePointer {
  /** Its address, in bytes, as the chunks map it. */
  readonly address: number;
  readonly level: number;
  readonly generation: number;
}

/** The fields that matter to who reads. Sizes in bytes. */
export interface Superblock {
  readonly fsid: Uint8Array;
  /** What blocks of metadata say that they belong to. */
  readonly metadataUuid: Uint8Array;
  readonly generation: number;
  readonly roots: TreePointer;
  readonly chunks: TreePointer;
  /** What was synced after the last commit, where anything was. */
  readonly log: TreePointer | undefined;
  readonly bytesUsed: number;
  readonly deviceCount: number;
  readonly deviceId: number;
  readonly deviceSize: number;
  readonly sectorSize: number;
  readonly nodeSize: number;
  readonly checksums: ChecksumKind;
  readonly label: string;
  readonly hasBlockGroupTree: boolean;
  /** Nothing in it says that somebody was in the middle of something, or that it has features that nobody knows. */
  readonly isSound: boolean;
  readonly systemChunks: Uint8Array;
}

/** Whether these 4096 bytes are a superblock of Btrfs. */
export function looksLikeBtrfs(bytes: Uint8Array): boolean {
  return isEqual(bytes.subarray(64, 72), magic);
}

/**
 * Takes the superblock apart that is at byte `place`; `name` is the disk's, for errors.
 *
 * @throws VarveError `CORRUPT`; `UNSUPPORTED` for features that change how it is read and are not known here
 */
export function decodeSuperblock(bytes: Uint8Array, place: number, name: string): Superblock {
  const view = viewOf(bytes);
  const corrupt = (why: string) =>
    new VarveError('CORRUPT', `cannot read ${name}: the Btrfs superblock at byte ${place} ${why}`);
  if (!looksLikeBtrfs(bytes)) throw corrupt('has no magic');
  const checksums = checksumKinds[view.getUint16(196, true)];
  if (checksums === undefined) {
    const kind = view.getUint16(196, true);
    throw new VarveError('UNSUPPORTED', `cannot read ${name}: its Btrfs has checksums of an unknown kind, ${kind}`);
  }
  if (!checksums.fits(bytes.subarray(32), bytes, 0)) throw corrupt('does not fit its checksum');
  if (u64(view, 48) !== place) throw corrupt(`says that it is at byte ${u64(view, 48)}`);
  refuseUnknown(view, name);
  const superblock = fieldsOf(bytes, checksums);
  const problem = problemOf(superblock, view);
  if (problem !== undefined) throw corrupt(problem);
  return superblock;
}

function fieldsOf(bytes: Uint8Array, checksums: ChecksumKind): Superblock {
  const view = viewOf(bytes);
  const generation = u64(view, 72);
  const fsid = bytes.slice(32, 48);
  const hasMetadataUuid = (view.getUint32(188, true) & incompat.metadataUuid) !== 0;
  const log = u64(view, 96);
  return {
    ...{ fsid, metadataUuid: hasMetadataUuid ? bytes.slice(571, 587) : fsid, generation, checksums },
    roots: { address: u64(view, 80), level: bytes[198]!, generation },
    chunks: { address: u64(view, 88), level: bytes[199]!, generation: u64(view, 164) },
    // Who writes a log does so in the transaction that comes after the last one that was committed.
    log: log === 0 ? undefined : { address: log, level: bytes[200]!, generation: generation + 1 },
    ...{ bytesUsed: u64(view, 120), deviceCount: u64(view, 136), deviceId: u64(view, 201), deviceSize: u64(view, 209) },
    ...{ sectorSize: view.getUint32(144, true), nodeSize: view.getUint32(148, true) },
    label: new TextDecoder().decode(bytes.subarray(labelStart, labelStart + labelLength)).replace(/\0.*$/s, ''),
    hasBlockGroupTree: (view.getUint32(180, true) & compatRo.blockGroupTree) !== 0,
    isSound: isSound(view),
    systemChunks: bytes.slice(arrayStart, arrayStart + Math.min(arrayLength, view.getUint32(160, true))),
  };
}

/** Flags say that there were errors, that it is a dump of metadata, or that an identity or checksums are being changed. */
function isSound(view: DataView): boolean {
  const errors = 0x4;
  const seeding = 0x1;
  const hasFlags = (view.getUint32(56, true) & errors) !== 0 || (view.getUint32(60, true) & ~seeding) !== 0;
  const isUnknown = (view.getUint32(180, true) & ~knownCompatRo) !== 0 || view.getUint32(184, true) !== 0;
  return !hasFlags && !isUnknown;
}

function refuseUnknown(view: DataView, name: string): void {
  const bits = Array.from({ length: 64 }, (_, bit) => bit).filter(
    (bit) => (view.getUint32(bit < 32 ? 188 : 192, true) & (1 << (bit & 31))) !== 0,
  );
  const unknown = bits.filter((bit) => bit >= 32 || (knownIncompat & (1 << bit)) === 0);
  if (unknown.length === 0) return;
  const names = unknown.map((bit) => incompatNames[2 ** bit] ?? `feature bit ${bit}`).join(', ');
  throw new VarveError('UNSUPPORTED', `cannot read ${name}: its Btrfs uses ${names}, unknown here`);
}

function problemOf({ sectorSize, nodeSize, deviceSize, deviceCount }: Superblock, view: DataView): string | undefined {
  const isPower = (size: number) => size >= 512 && size <= 65_536 && Number.isInteger(Math.log2(size));
  if (!isPower(sectorSize)) return `has sectors of ${sectorSize} bytes`;
  if (!isPower(nodeSize) || nodeSize < sectorSize || nodeSize < 4096) return `has nodes of ${nodeSize} bytes`;
  if (!Number.isSafeInteger(deviceSize) || deviceSize < superblockPlaces[0]!) return `has ${deviceSize} bytes`;
  if (deviceCount < 1) return 'has no devices';
  if (view.getUint32(160, true) > arrayLength) return `has ${view.getUint32(160, true)} bytes of system chunks`;
  for (const [what, at] of [
    ['root', 80],
    ['chunk_root', 88],
    ['log_root', 96],
  ] as const) {
    if (!Number.isSafeInteger(u64(view, at)) || u64(view, at) % sectorSize !== 0)
      return `has a ${what} of ${u64(view, at)}`;
  }
  return undefined;
}
