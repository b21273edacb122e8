import type { IntervalSet } from '../../../bytes/interval-set.ts';
import { isEqual } from '../../../bytes/is-equal.ts';
import { differingRanges } from '../../differing-ranges.ts';
import type { FileSystemChanges } from '../../file-system.ts';
import type { XfsVolume } from '../volume.ts';
import { changedInodes, turnedInodes, usedAmong } from './changed-inodes.ts';
import { type ComparedState, silentlyChanged } from './explain-blocks.ts';
import { type GroupState, readGroupState } from './group-state.ts';

/**
 * What changed between two states of a file system, from its inodes and the blocks that differ; undefined where it has another
 * shape, was not repaired, or has a realtime device.
 *
 * @throws VarveError `CORRUPT`
 */
export async function xfsChangesSince(
  later: XfsVolume,
  earlier: XfsVolume,
  rough: IntervalSet,
): Promise<FileSystemChanges | undefined> {
  if (!haveSameShape(earlier, later)) return undefined;
  const ranges = await differingRanges(earlier.device, later.device, rough);
  const before = await groupStates(earlier);
  const after = await groupStates(later);
  const slots = new Set<number>();
  for (const [group, { chunks }] of before.entries()) {
    for (const number of turnedInodes(chunks, after[group]!.chunks)) slots.add(number);
  }
  for (const { chunks } of [...before, ...after]) {
    for (const chunk of chunks) {
      for await (const number of changedInodes(earlier, later, chunk, ranges)) slots.add(number);
    }
  }
  const states: ComparedState[] = [
    { volume: earlier, groups: before, files: filesIn(ranges, before), slots },
    { volume: later, groups: after, files: filesIn(ranges, after), slots },
  ];
  const all = new Set(slots);
  for (const state of states) for (const number of await silentlyChanged(state)) all.add(number);
  return { ranges, before: usedAmong(all, before), after: usedAmong(all, after) };
}

function haveSameShape({ superblock: a }: XfsVolume, { superblock: b }: XfsVolume): boolean {
  const fields = [
    ...(['version', 'blockSize', 'sectorSize', 'inodeSize', 'blockCount', 'groupBlocks', 'groupCount'] as const),
    ...(['groupBlockBits', 'inodeBits', 'directoryBlockSize', 'rootInode', 'logStart', 'logBlocks'] as const),
    ...(['hasFileType', 'ignoresCase', 'hasSparseInodes'] as const),
  ];
  const isWhole = (each: typeof a) => !each.needsRepair && each.realtimeBlockCount === 0;
  return fields.every((field) => a[field] === b[field]) && isEqual(a.uuid, b.uuid) && isWhole(a) && isWhole(b);
}

async function groupStates(volume: XfsVolume): Promise<GroupState[]> {
  const states: GroupState[] = [];
  for (let group = 0; group < volume.superblock.groupCount; group++) states.push(await readGroupState(volume, group));
  return states;
}

/** Those of the ranges in which files may be. */
function filesIn(ranges: IntervalSet, groups: readonly GroupState[]): IntervalSet {
  const files = ranges.clone();
  for (const { fixed, chunks } of groups) {
    for (const { offset, end } of fixed) files.remove(offset, end);
    for (const { offset, end } of chunks) files.remove(offset, end);
  }
  return files;
}
