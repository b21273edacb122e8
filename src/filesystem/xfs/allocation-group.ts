/*
 * The head of an allocation group's free space, in its second sector; big-endian.
 *
 *   byte   0  agf_magicnum, "XAGF"     16  agf_bno_root                 48  agf_flcount
 *          4  agf_versionnum, 1        28  agf_bno_level                52  agf_freeblks
 *          8  agf_seqno                                                 60  agf_btreeblks
 *         12  agf_length                                                64  agf_uuid, 16 bytes
 *                                                                      216  agf_crc, little-endian
 *
 * Source: XFS Algorithms & Data Structures, "AG Free Space Block".
 */
import { isEqual } from '../../bytes/is-equal.ts';
import { bytesOf, fitsChecksum } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

const magic = 0x5841_4746;
const deepest = 9;

/** Where a group's free space is, and how much. Places are counted in blocks from the group's start. */
export interface GroupFreeSpace {
  /** How many blocks the group has. */
  readonly length: number;
  /** The root of the B+tree of free extents by place, and how many levels it has. */
  readonly root: number;
  readonly levels: number;
  readonly freeCount: number;
  /** Blocks that are kept for the trees of free space, and those that these have beyond their roots. */
  readonly listCount: number;
  readonly treeCount: number;
}

/** @throws VarveError `CORRUPT` */
export async function readGroup(volume: XfsVolume, group: number): Promise<GroupFreeSpace> {
  const { blockSize, sectorSize, groupBlocks } = volume.superblock;
  const what = `the free space head of allocation group ${group}`;
  const page = await volume.block(group * groupBlocks + Math.floor(sectorSize / blockSize), what);
  const start = page.byteOffset + (sectorSize % blockSize);
  const view = new DataView(page.buffer, start, sectorSize);
  volume.verifyOnce(page, what, () => problemOf(volume, view, group));
  return {
    ...{ length: view.getUint32(12), root: view.getUint32(16), levels: view.getUint32(28) },
    ...{ freeCount: view.getUint32(52), listCount: view.getUint32(48), treeCount: view.getUint32(60) },
  };
}

function problemOf({ superblock }: XfsVolume, view: DataView, group: number): string | undefined {
  const { groupBlocks, blockCount, version, metaUuid } = superblock;
  if (view.getUint32(0) !== magic) return 'has no magic';
  if (version === 5 && !fitsChecksum(view, 216)) return 'does not fit its checksum';
  if (version === 5 && !isEqual(bytesOf(view).subarray(64, 80), metaUuid)) return 'belongs to another file system';
  if (view.getUint32(4) !== 1) return `is of version ${view.getUint32(4)}`;
  if (view.getUint32(8) !== group) return `says that it is of group ${view.getUint32(8)}`;
  const length = Math.min(groupBlocks, blockCount - group * groupBlocks);
  if (view.getUint32(12) !== length) return `says that there are ${view.getUint32(12)} blocks, and there are ${length}`;
  const levels = view.getUint32(28);
  return levels >= 1 && levels <= deepest ? undefined : `has a tree of ${levels} levels`;
}
