import { IntervalSet } from '../../bytes/interval-set.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';
import { rangesInVolume } from '../../guest/ranges-in-volume.ts';
import type { ChangedRange } from '../../image/diff-snapshots.ts';
import { compareTrees } from '../compare-trees.ts';
import type { FileChange } from '../file-change.ts';
import { knownChanges } from '../known-changes.ts';
import { linkNames } from './link-names.ts';
import type { MergeableVolume } from './mergeable-volumes.ts';
import { type ChangedLinks, linkedNodes } from './touched-files.ts';

/** What became of the files of a volume, by paths from its root; renames are what was deleted and what was added. */
export interface VolumeChanges {
  readonly changes: readonly FileChange[];
  readonly links: ChangedLinks;
}

/** Two states of a file system, and where their disks differ. */
export interface VolumeStates {
  readonly before: FileSystem;
  readonly after: FileSystem;
  readonly ranges: readonly ChangedRange[];
}

/** Compares two states of one file system, times included. @throws VarveError `CORRUPT`, and the reason of the signal */
export async function volumeChanges(
  { after, before, ranges }: VolumeStates,
  { volume }: MergeableVolume,
  { name, signal }: { readonly name: string; readonly signal?: AbortSignal | undefined },
): Promise<VolumeChanges> {
  const intervals = new IntervalSet(ranges.map(({ offset, length }) => ({ offset, end: offset + length })));
  const touched = rangesInVolume(volume, intervals) ?? new IntervalSet([{ offset: 0, end: volume.length }]);
  const tops = { before: before.root, after: after.root };
  const known = await knownChanges({ before, after }, touched, tops);
  const start = { before: { path: '/', node: before.root }, after: { path: '/', node: after.root } };
  // Only those that can tell their changes number files so that a file keeps its number.
  const isSame = after.changesSince !== undefined;
  const options = { isSame, known, renames: false, times: true, signal };
  const changes = await compareTrees({ before, after }, start, options);
  return {
    changes,
    links: {
      before: await linkNames(before, linkedNodes(changes, 'before'), name),
      after: await linkNames(after, linkedNodes(changes, 'after'), name),
    },
  };
}
