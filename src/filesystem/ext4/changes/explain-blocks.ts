import { isVarveError } from '../../../base/varve-error.ts';
import type { IntervalSet } from '../../../bytes/interval-set.ts';
import type { BlockRun } from '../../block-run.ts';
import { freeInGroup } from '../free-space.ts';
import type { Inode } from '../inode.ts';
import type { Ext4Volume } from '../volume.ts';
import { ownedBlocks } from './owned-blocks.ts';
import type { UsedInodes } from './used-inodes.ts';

const attributesHeader = 32;
const rootInode = 2;
const resizeInode = 7;

/** One of two states of a file system, and what is known to differ. */
export interface ComparedState {
  readonly volume: Ext4Volume;
  readonly used: UsedInodes;
  readonly other: Ext4Volume;
  /** The bytes that differ and may be a file's. */
  readonly files: IntervalSet;
  /** The inodes that differ themselves. */
  readonly slots: ReadonlySet<number>;
}

/**
 * The inodes whose blocks differ although they themselves do not: pages that were written to behind the inode's back. All
 * inodes are looked at only if those that differ do not own all blocks that do.
 *
 * @throws VarveError `CORRUPT`
 */
export async function silentlyChanged(state: ComparedState): Promise<Set<number>> {
  const found = new Set<number>();
  const unexplained = await inUse(state.volume, state.files);
  const attributeOwners = new Map<number, number>();
  for await (const inode of knownOwners(state)) {
    // Those that do not differ themselves are only of interest as long as something is not explained.
    if (unexplained.totalLength === 0 && !state.slots.has(inode.number)) break;
    const { attributeBlock, number } = inode;
    if (attributeBlock !== 0) attributeOwners.set(attributeBlock, (attributeOwners.get(attributeBlock) ?? 0) + 1);
    for await (const run of ownedBlocks(state.volume, inode)) {
      const { offset, end } = bytesOf(state.volume, run);
      if (!state.slots.has(number) && overlaps(unexplained, offset, end)) found.add(number);
      unexplained.remove(offset, end);
    }
  }
  for (const [block, owners] of attributeOwners) {
    const { offset, end } = bytesOf(state.volume, { kind: 'data', block, count: 1 });
    if (overlaps(state.files, offset, end) && (await hasMoreOwners(state, block, owners))) unexplained.add(offset, end);
  }
  if (unexplained.totalLength > 0) for await (const number of ownersOf(state, unexplained)) found.add(number);
  return found;
}

/** Those of the bytes that are in blocks which are in use. */
async function inUse(volume: Ext4Volume, files: IntervalSet): Promise<IntervalSet> {
  const { blockSize, blocksPerGroup, firstDataBlock, groupCount } = volume.superblock;
  const groupAt = (offset: number) => Math.max(0, Math.floor((offset / blockSize - firstDataBlock) / blocksPerGroup));
  const groups = new Set<number>();
  for (const { offset, end } of files) {
    for (let group = groupAt(offset); group <= groupAt(end - 1) && group < groupCount; group++) groups.add(group);
  }
  const used = files.clone();
  for (const group of groups) {
    for (const { start, end } of await freeInGroup(volume, group)) used.remove(start * blockSize, end * blockSize);
  }
  return used;
}

/** The inodes that differ, and then those that the file system itself writes to, the longest last. */
async function* knownOwners({ volume, used, slots }: ComparedState): AsyncGenerator<Inode> {
  const { hiddenInodes, journalInode } = volume.superblock;
  for (const number of new Set([...slots, journalInode, rootInode, ...hiddenInodes, resizeInode])) {
    if (number === 0 || !(await used.has(number))) continue;
    try {
      yield await volume.inode(number);
    } catch (error) {
      // Of those with numbers of their own some are never filled in.
      if (slots.has(number) || !isVarveError(error, 'CORRUPT')) throw error;
    }
  }
}

/** Several inodes may have one block of attributes, which counts them. */
async function hasMoreOwners({ volume, other }: ComparedState, block: number, owners: number): Promise<boolean> {
  const what = `block ${block} of attributes`;
  const here = await volume.block(block, what);
  if (here.getUint32(4, true) <= owners) return false;
  const there = await other.block(block, what);
  return Buffer.compare(attributesIn(here), attributesIn(there)) !== 0;
}

function attributesIn(block: DataView): Uint8Array {
  return new Uint8Array(block.buffer, block.byteOffset + attributesHeader, block.byteLength - attributesHeader);
}

async function* ownersOf({ volume, used }: ComparedState, unexplained: IntervalSet): AsyncGenerator<number> {
  for (let group = 0; group < volume.superblock.groupCount; group++) {
    for await (const number of used.inGroup(group)) {
      if (number <= 10 && number !== rootInode) continue;
      for await (const run of ownedBlocks(volume, await volume.inode(number))) {
        const { offset, end } = bytesOf(volume, run);
        if (!overlaps(unexplained, offset, end)) continue;
        yield number;
        break;
      }
    }
  }
}

/** Where blocks are, with the rest of the clusters that they are in. */
function bytesOf({ superblock }: Ext4Volume, { block, count }: BlockRun): { offset: number; end: number } {
  const { blockSize, blocksPerCluster: cluster } = superblock;
  const first = Math.floor(block / cluster) * cluster;
  return { offset: first * blockSize, end: Math.ceil((block + count) / cluster) * cluster * blockSize };
}

function overlaps(set: IntervalSet, offset: number, end: number): boolean {
  return set.intersect(offset, end).next().value !== undefined;
}
