/*
 * What the heads of an allocation group say of its B+trees, big-endian.
 *
 *   second sector   16  agf_bno_root    20  agf_cnt_root    24  agf_rmap_root    88  agf_refcount_root
 *                   28  agf_bno_level   32  agf_cnt_level   36  agf_rmap_level   92  agf_refcount_level
 *                   40  agf_flfirst     48  agf_flcount
 *   third sector     0  agi_magicnum, "XAGI"     8  agi_seqno     20  agi_root     328  agi_free_root
 *                  312  agi_crc, little-endian                    24  agi_level    332  agi_free_level
 *   fourth sector    blocks that are kept for the trees, 4 bytes each: from byte 36 on since version 5
 *
 * The blocks of the trees begin with magic, bb_level and bb_numrecs (16 bit each), and hold records or keys and pointers (4
 * bytes each) from byte 16, or 56 since version 5, on.
 *
 * Source: XFS Algorithms & Data Structures, "AG Free Space Management", "Inode Allocation", "Reverse Mapping B+tree" and
 * "Reference Count B+tree".
 */
import { fitsChecksum, metadataHeaders } from '../metadata-header.ts';
import type { XfsVolume } from '../volume.ts';

const agiMagic = 0x5841_4749;
const headerLengths = { 4: 16, 5: 56 } as const;
const pointerLength = 4;
const deepest = 9;
const listHeader = { 4: 0, 5: 36 } as const;

/** What kinds of trees there are: their magics by version, and how long records and keys are. */
const treeKinds = {
  freeByPlace: { 4: 0x4142_5442, 5: 0x4142_3342, recordLength: 8, keyLength: 8 },
  freeBySize: { 4: 0x4142_5443, 5: 0x4142_3343, recordLength: 8, keyLength: 8 },
  inodes: { 4: 0x4941_4254, 5: 0x4941_4233, recordLength: 16, keyLength: 4 },
  freeInodes: { 4: 0x4649_4254, 5: 0x4649_4233, recordLength: 16, keyLength: 4 },
  owners: { 4: 0, 5: 0x524d_4233, recordLength: 24, keyLength: 40 },
  counts: { 4: 0, 5: 0x5233_4643, recordLength: 12, keyLength: 4 },
} as const;

/** The name of a tree. */
export type TreeKind = keyof typeof treeKinds;

/** Where a tree begins: a block of its group, and how many levels it has. */
export interface GroupTree {
  readonly kind: TreeKind;
  readonly root: number;
  readonly levels: number;
}

/** The trees that a group has, and what is kept for them: blocks of the group. @throws VarveError `CORRUPT` */
export async function groupTrees(
  volume: XfsVolume,
  group: number,
): Promise<{ readonly trees: readonly GroupTree[]; readonly kept: readonly number[] }> {
  const [space, inodes, list] = [
    await head(volume, group, 1),
    await head(volume, group, 2),
    await head(volume, group, 3),
  ];
  const { version } = volume.superblock;
  const what = `the inode head of allocation group ${group}`;
  if (inodes.getUint32(0) !== agiMagic || inodes.getUint32(8) !== group) throw volume.corrupt(`${what} has no magic`);
  if (version === 5 && !fitsChecksum(inodes, 312)) throw volume.corrupt(`${what} does not fit its checksum`);
  const all: GroupTree[] = [
    { kind: 'freeByPlace', root: space.getUint32(16), levels: space.getUint32(28) },
    { kind: 'freeBySize', root: space.getUint32(20), levels: space.getUint32(32) },
    { kind: 'inodes', root: inodes.getUint32(20), levels: inodes.getUint32(24) },
  ];
  if (version === 5) {
    all.push(
      { kind: 'owners', root: space.getUint32(24), levels: space.getUint32(36) },
      { kind: 'counts', root: space.getUint32(88), levels: space.getUint32(92) },
      { kind: 'freeInodes', root: inodes.getUint32(328), levels: inodes.getUint32(332) },
    );
  }
  const places = Math.floor((list.byteLength - listHeader[version]) / 4);
  const [first, count] = [space.getUint32(40), Math.min(space.getUint32(48), places)];
  const kept = Array.from({ length: count }, (_, index) => {
    return list.getUint32(listHeader[version] + ((first + index) % places) * 4);
  });
  return { trees: all.filter(({ levels }) => levels > 0), kept };
}

async function head(volume: XfsVolume, group: number, sector: number): Promise<DataView> {
  const { blockSize, sectorSize, groupBlocks } = volume.superblock;
  const offset = sector * sectorSize;
  const block = group * groupBlocks + Math.floor(offset / blockSize);
  const page = await volume.block(block, `sector ${sector} of allocation group ${group}`);
  return new DataView(page.buffer, page.byteOffset + (offset % blockSize), sectorSize);
}

/** A block of a tree; `view` is undefined for leaves that nobody asked for. */
export interface TreeBlock {
  /** A block of the group. */
  readonly index: number;
  readonly level: number;
  readonly view: DataView | undefined;
}

/** The blocks of a tree, each before those below it; leaves are only read `withLeaves`. @throws VarveError `CORRUPT` */
export async function* blocksOfTree(
  volume: XfsVolume,
  group: number,
  { kind, root, levels }: GroupTree,
  withLeaves: boolean,
): AsyncGenerator<TreeBlock> {
  const { keyLength } = treeKinds[kind];
  const start = headerLengths[volume.superblock.version];
  if (levels > deepest) throw volume.corrupt(`the tree of ${kind} of allocation group ${group} has ${levels} levels`);
  const pending = [{ index: root, level: levels - 1 }];
  const seen = new Set<number>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { index, level } = next;
    if (seen.has(index)) throw volume.corrupt(`block ${index} of allocation group ${group} is in a tree twice`);
    seen.add(index);
    const view = level > 0 || withLeaves ? await treeBlock(volume, group, { index, level, kind }) : undefined;
    yield { index, level, view };
    if (level === 0) continue;
    const most = Math.floor((view!.byteLength - start) / (keyLength + pointerLength));
    for (let entry = Math.min(view!.getUint16(6), most) - 1; entry >= 0; entry--) {
      pending.push({ index: view!.getUint32(start + most * keyLength + entry * pointerLength), level: level - 1 });
    }
  }
}

/** The records in the leaves of a tree, as views of their own length. @throws VarveError `CORRUPT` */
export async function* recordsOfTree(volume: XfsVolume, group: number, tree: GroupTree): AsyncGenerator<DataView> {
  const { recordLength } = treeKinds[tree.kind];
  const start = headerLengths[volume.superblock.version];
  for await (const { level, view } of blocksOfTree(volume, group, tree, true)) {
    if (level > 0 || view === undefined) continue;
    const count = Math.min(view.getUint16(6), Math.floor((view.byteLength - start) / recordLength));
    for (let record = 0; record < count; record++) {
      yield new DataView(view.buffer, view.byteOffset + start + record * recordLength, recordLength);
    }
  }
}

interface PlacedBlock {
  readonly index: number;
  readonly level: number;
  readonly kind: TreeKind;
}

async function treeBlock(volume: XfsVolume, group: number, { index, level, kind }: PlacedBlock): Promise<DataView> {
  const what = `block ${index} of the tree of ${kind} of allocation group ${group}`;
  const block = volume.blockInGroup(group, index, { count: 1, what });
  const view = await volume.block(block, what);
  volume.verifyBlock(view, { what, header: metadataHeaders.groupTree, block, owner: group }, () => {
    return view.getUint32(0) === treeKinds[kind][volume.superblock.version] ? undefined : 'has no magic';
  });
  if (view.getUint16(4) === level) return view;
  throw volume.corrupt(`${what} says that it is at level ${view.getUint16(4)}, and should be ${level}`);
}
