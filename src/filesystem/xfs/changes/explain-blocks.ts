import { isVarveError } from '../../../base/varve-error.ts';
import type { IntervalSet } from '../../../bytes/interval-set.ts';
import { blocksOfFork } from '../extent-map.ts';
import type { Inode } from '../inode.ts';
import type { XfsVolume } from '../volume.ts';
import { usedAmong, usedIn } from './changed-inodes.ts';
import { type GroupState, sharedBlocks } from './group-state.ts';

/** One of two states of a file system, and what is known to differ. */
export interface ComparedState {
  readonly volume: XfsVolume;
  readonly groups: readonly GroupState[];
  /** The bytes that differ and may be a file's. */
  readonly files: IntervalSet;
  /** The inodes that differ themselves. */
  readonly slots: ReadonlySet<number>;
}

interface Bytes {
  readonly offset: number;
  readonly end: number;
}

/**
 * The inodes whose blocks differ although they themselves do not: pages that were written to behind the inode's back. All
 * inodes are looked at only if those that differ do not own all blocks that do.
 *
 * @throws VarveError `CORRUPT`
 */
export async function silentlyChanged(state: ComparedState): Promise<Set<number>> {
  const { volume, files, slots } = state;
  const found = new Set<number>();
  const unexplained = files.clone();
  const owned: Bytes[] = [];
  for (const inode of await knownOwners(state)) {
    for await (const run of ownedBytes(volume, inode)) {
      if (!overlaps(files, run)) continue;
      if (!slots.has(inode.number)) found.add(inode.number);
      owned.push(run);
      unexplained.remove(run.offset, run.end);
    }
  }
  await settleShared(state, owned, unexplained);
  if (unexplained.totalLength > 0) for await (const number of ownersOf(state, unexplained)) found.add(number);
  return found;
}

/** The inodes that differ and are in use, and those that the file system itself writes to. */
async function knownOwners({ volume, groups, slots }: ComparedState): Promise<Inode[]> {
  const wanted = new Set([...slots, ...volume.superblock.hiddenInodes, volume.superblock.rootInode]);
  const owners: Inode[] = [];
  for (const number of usedAmong(wanted, groups)) {
    try {
      owners.push(await volume.inode(number));
    } catch (error) {
      if (slots.has(number) || !isVarveError(error, 'CORRUPT')) throw error;
    }
  }
  return owners;
}

async function* ownedBytes(volume: XfsVolume, inode: Inode): AsyncGenerator<Bytes> {
  const { blockSize } = volume.superblock;
  // What a file has on the realtime device has no place here.
  const forks = inode.isRealtime ? [inode.attributes] : [inode.data, inode.attributes];
  for (const fork of forks) {
    if (fork === undefined) continue;
    for await (const { block, count } of blocksOfFork(volume, fork)) {
      yield { offset: block * blockSize, end: (block + count) * blockSize };
    }
  }
}

/** What several files share is explained when all of them are known; what is only being copied is nobody's. */
async function settleShared(
  { volume, groups, files }: ComparedState,
  owned: readonly Bytes[],
  unexplained: IntervalSet,
): Promise<void> {
  for (const [group, state] of groups.entries()) {
    if (!overlaps(files, boundsOf(volume, group))) continue;
    for await (const { offset, end, owners, isStaging } of sharedBlocks(volume, group, state)) {
      if (isStaging) unexplained.remove(offset, end);
      else {
        for (const part of files.intersect(offset, end)) {
          if (ownersWithin(owned, part) < owners * (part.end - part.offset)) unexplained.add(part.offset, part.end);
        }
      }
    }
  }
}

function boundsOf({ superblock: { groupBlocks, blockSize } }: XfsVolume, group: number): Bytes {
  return { offset: group * groupBlocks * blockSize, end: (group + 1) * groupBlocks * blockSize };
}

/** How many bytes of a range are owned, each as often as it is. */
function ownersWithin(owned: readonly Bytes[], range: Bytes): number {
  return owned.reduce((sum, { offset, end }) => {
    return sum + Math.max(0, Math.min(end, range.end) - Math.max(offset, range.offset));
  }, 0);
}

async function* ownersOf({ volume, groups }: ComparedState, unexplained: IntervalSet): AsyncGenerator<number> {
  for (const { chunks } of groups) {
    for (const chunk of chunks) {
      for (const number of usedIn(chunk)) {
        for await (const run of ownedBytes(volume, await volume.inode(number))) {
          if (!overlaps(unexplained, run)) continue;
          yield number;
          break;
        }
      }
    }
  }
}

function overlaps(set: IntervalSet, { offset, end }: Bytes): boolean {
  return set.intersect(offset, end).next().value !== undefined;
}
