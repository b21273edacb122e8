/*
 * An inode's item in the log, little-endian, as all that follows:
 *
 *   byte  0  ilf_type, 123b (16 bit)      8  ilf_asize (16 bit)     24  ilfu_rdev
 *         2  ilf_size (16 bit)           10  ilf_dsize (16 bit)     40  ilf_blkno (64 bit), in sectors of 512 bytes
 *         4  ilf_fields                  16  ilf_ino (64 bit)       48  ilf_len, sectors
 *                                                                 52  ilf_boffset, bytes from the first
 *
 * The next operation is the inode's fields, in places as on the disk, and then come those forks that ilf_fields names:
 * 2, 4 and 8 for the data's content, extents or root of a tree, 40, 80 and 100 for the attributes'; 10 is a device number.
 * Content and extents are as on the disk, a root is as a whole block of the tree.
 *
 * Source: Linux, fs/xfs/libxfs/xfs_log_format.h, "Inode Log Item Format"; fs/xfs/libxfs/xfs_bmap_btree.c (roots).
 */
import { bytesOf } from '../metadata-header.ts';
import type { XfsVolume } from '../volume.ts';
import { sectorSize } from './log-ring.ts';
import type { LogItem } from './log-transactions.ts';
import type { ReplayedBlocks } from './replayed-blocks.ts';

const headerLength = 56;
const fields = { data: 0xe, dataRoot: 0x8, device: 0x10, attributes: 0x1c0, attributeRoot: 0x100 } as const;
const flags2 = { bigTime: 0x8, largeCounts: 0x10 } as const;
const fieldLengths = { 4: 100, 5: 176 } as const;
const treeHeaders = { 4: 24, 5: 72 } as const;
const checksumAt = 100;
const nextUnlinked = { start: 96, end: 100 } as const;

/** Fields of 16, 32 and 64 bits, and times, by place; the others have 8 bits. */
const width2 = [0, 2, 6, 20, 22, 30, 80, 88, 90];
const width4 = [8, 12, 16, 72, 76, 84, 92, 128];
const width8 = [56, 64, 104, 112, 120, 152];
const times = [32, 40, 48, 144];

/** An inode that was changed. */
export interface LoggedInode {
  /** Where it is on the disk, in bytes, and the buffer that it is in. */
  readonly place: number;
  readonly buffer: { readonly place: number; readonly length: number };
  readonly fields: number;
  readonly device: number;
  readonly core: DataView;
  readonly forks: readonly DataView[];
}

/** Takes an inode's item apart; undefined where it cannot be one. */
export function decodeLoggedInode({ parts }: LogItem): LoggedInode | undefined {
  const [header, core, ...forks] = parts;
  if (header === undefined || core === undefined || header.byteLength < headerLength) return undefined;
  const start = (header.getUint32(40, true) + header.getUint32(44, true) * 2 ** 32) * sectorSize;
  const place = start + header.getUint32(52, true);
  const buffer = { place: start, length: header.getUint32(48, true) * sectorSize };
  if (!Number.isSafeInteger(place)) return undefined;
  return { place, buffer, fields: header.getUint32(4, true), device: header.getUint32(24, true), core, forks };
}

/** Does what the log says of an inode, and makes its checksum fit. */
export async function replayInode(volume: XfsVolume, blocks: ReplayedBlocks, inode: LoggedInode): Promise<void> {
  const { version, inodeSize } = volume.superblock;
  const length = fieldLengths[version];
  if (inode.core.byteLength < nextUnlinked.start) return;
  const bytes = await blocks.read(inode.place, inodeSize);
  const core = coreOnDisk(bytesOf(inode.core).slice(0, length));
  bytes.set(core.subarray(0, nextUnlinked.start));
  bytes.set(core.subarray(nextUnlinked.end), nextUnlinked.end);
  putForks(inode, new DataView(bytes.buffer, length), version, core[82]! * 8);
  await blocks.write(inode.place, bytes);
  if (version === 5) await blocks.fixChecksum(inode.place, inodeSize, checksumAt);
}

/** The fields in the order of bytes that the disk has. */
function coreOnDisk(core: Uint8Array): Uint8Array {
  const bits = core.length > 120 ? core[120]! : 0;
  const swap = (place: number, width: number) => {
    if (place + width <= core.length) core.subarray(place, place + width).reverse();
  };
  const isLarge = (bits & flags2.largeCounts) !== 0;
  for (const place of width2) if (!(isLarge && place === 30)) swap(place, 2);
  for (const place of width4) swap(place, 4);
  for (const place of isLarge ? [24, ...width8] : width8) swap(place, 8);
  for (const place of times) {
    if ((bits & flags2.bigTime) !== 0) swap(place, 8);
    else for (const half of [place, place + 4]) swap(half, 4);
  }
  return core;
}

function putForks(inode: LoggedInode, area: DataView, version: 4 | 5, attributeOffset: number): void {
  const bits = inode.fields;
  const split = attributeOffset === 0 ? area.byteLength : Math.min(attributeOffset, area.byteLength);
  const data = new DataView(area.buffer, area.byteOffset, split);
  const attributes = new DataView(area.buffer, area.byteOffset + split, area.byteLength - split);
  if ((bits & fields.device) !== 0 && split >= 4) data.setUint32(0, inode.device);
  const hasData = (bits & fields.data) !== 0;
  if (hasData) putFork(data, inode.forks[0], (bits & fields.dataRoot) !== 0, version);
  if ((bits & fields.attributes) === 0) return;
  putFork(attributes, inode.forks[hasData ? 1 : 0], (bits & fields.attributeRoot) !== 0, version);
}

function putFork(fork: DataView, logged: DataView | undefined, isRoot: boolean, version: 4 | 5): void {
  if (logged === undefined) return;
  if (isRoot) putRoot(fork, logged, version);
  else bytesOf(fork).set(bytesOf(logged).subarray(0, fork.byteLength));
}

function putRoot(fork: DataView, logged: DataView, version: 4 | 5): void {
  const start = treeHeaders[version];
  const [room, loggedRoom] = [Math.floor((fork.byteLength - 4) / 16), Math.floor((logged.byteLength - start) / 16)];
  const count = loggedRoom < 0 ? 0 : Math.min(room, loggedRoom, logged.getUint16(6));
  if (count <= 0) return;
  fork.setUint16(0, logged.getUint16(4));
  fork.setUint16(2, count);
  const from = bytesOf(logged);
  bytesOf(fork).set(from.subarray(start, start + count * 8), 4);
  bytesOf(fork).set(from.subarray(start + loggedRoom * 8, start + (loggedRoom + count) * 8), 4 + room * 8);
}
