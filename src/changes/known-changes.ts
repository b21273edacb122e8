import { isVarveError } from '../base/varve-error.ts';
import type { IntervalSet } from '../bytes/interval-set.ts';
import type { FileSystemChanges } from '../filesystem/file-system.ts';
import { findLeads } from './find-leads.ts';
import type { IsUnchanged } from './same-content.ts';
import type { TreeSides } from './tree-files.ts';

/** What is known of two states of one file system before its files are looked at. */
export interface KnownChanges {
  /** Whether a node may be another file than it was, or in another state. */
  differs(node: number): boolean;
  /** Whether something below a directory may differ. */
  leads(node: number): boolean;
  readonly isUnchanged: IsUnchanged;
}

/**
 * What the two file systems can tell of their changes, given where their devices differ; undefined where that is not enough.
 * `tops` are the directories below which it matters.
 */
export async function knownChanges(
  { before, after }: TreeSides,
  ranges: IntervalSet,
  tops: { readonly before: number; readonly after: number },
): Promise<KnownChanges | undefined> {
  // The content of files is never in a journal of those that cannot tell more.
  if (after.changesSince === undefined) return { differs: always, leads: always, isUnchanged: unchangedIn({ ranges }) };
  try {
    const changes = await after.changesSince(before, ranges);
    if (changes === undefined) return undefined;
    const differs = (node: number) => changes.before.has(node) || changes.after.has(node);
    const leadsAfter = await findLeads(after, changes.after, { top: tops.after, likely: [] });
    // A directory that does not differ is the same one on both sides.
    const likely = [...leadsAfter].filter((node) => !differs(node));
    const leadsBefore = await findLeads(before, changes.before, { top: tops.before, likely });
    return {
      differs,
      leads: (node) => leadsBefore.has(node) || leadsAfter.has(node),
      isUnchanged: unchangedIn(changes),
    };
  } catch (error) {
    // Where tables contradict each other, the files themselves are what counts.
    if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
    throw error;
  }
}

const always = () => true;

function unchangedIn({ ranges }: Pick<FileSystemChanges, 'ranges'>): IsUnchanged {
  return (place, length) => ranges.intersect(place, place + length).next().value === undefined;
}
