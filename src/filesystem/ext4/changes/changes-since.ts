import type { IntervalSet } from '../../../bytes/interval-set.ts';
import { differingRanges } from '../../differing-ranges.ts';
import type { FileSystemChanges } from '../../file-system.ts';
import { compat, incompat } from '../superblock.ts';
import type { Ext4Volume } from '../volume.ts';
import { changedSlots } from './changed-slots.ts';
import { type ComparedState, silentlyChanged } from './explain-blocks.ts';
import { commonLayout } from './group-layout.ts';
import { UsedInodes } from './used-inodes.ts';

const stateUnmounted = 1;
const stateErrors = 2;
const rootInode = 2;
const lastReserved = 10;

/**
 * What changed between two states of a file system, from the tables of inodes and the blocks that differ; undefined where
 * it has another shape, or bitmaps that nobody should trust.
 *
 * @throws VarveError `CORRUPT`
 */
export async function ext4ChangesSince(
  later: Ext4Volume,
  earlier: Ext4Volume,
  rough: IntervalSet,
): Promise<FileSystemChanges | undefined> {
  if (!isTrusted(earlier) || !isTrusted(later)) return undefined;
  const layout = await commonLayout(earlier, later);
  if (layout === undefined) return undefined;
  const ranges = await differingRanges(earlier.device, later.device, rough);
  const files = ranges.difference(layout.fixed);
  const slots = new Set<number>();
  for (const table of layout.tables) {
    for await (const number of changedSlots(earlier, later, table, ranges)) slots.add(number);
    files.remove(table.offset, table.end);
  }
  const before: ComparedState = { volume: earlier, used: new UsedInodes(earlier), other: later, files, slots };
  const after: ComparedState = { volume: later, used: new UsedInodes(later), other: earlier, files, slots };
  const all = new Set([...slots, ...(await silentlyChanged(before)), ...(await silentlyChanged(after))]);
  return { ranges, before: await namedOnes(all, before), after: await namedOnes(all, after) };
}

function isTrusted({ superblock: { state, compat: features, incompat: needed } }: Ext4Volume): boolean {
  const isConsistent = (state & stateUnmounted) !== 0 || (features & compat.journal) !== 0;
  // Values of attributes that are inodes of their own are found by no name.
  return (state & stateErrors) === 0 && isConsistent && (needed & incompat.attributeInodes) === 0;
}

async function namedOnes(all: ReadonlySet<number>, { used }: ComparedState): Promise<Set<number>> {
  const named = new Set<number>();
  for (const number of all) {
    if ((number > lastReserved || number === rootInode) && (await used.has(number))) named.add(number);
  }
  return named;
}
