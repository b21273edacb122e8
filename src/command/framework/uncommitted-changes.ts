import { formatSize } from '../../base/size.ts';
import type { ChangedRange } from '../../image/diff-snapshots.ts';
import type { Disk } from '../../image/open-disk.ts';
import { overlayChanges } from '../../image/overlay-status.ts';
import type { Store } from '../../store/store.ts';
import { askHolder } from './ask-holder.ts';
import type { CommandContext } from './command-context.ts';

/** The ranges of an image that changes in no snapshot touch, also while another process writes to it. @throws NOT_FOUND */
export async function uncommittedChanges(store: Store, name: string): Promise<ChangedRange[]> {
  const image = store.images.get(name);
  const held = await askHolder(store, name, { method: 'GET', action: '/changes' });
  return (held?.ranges as ChangedRange[] | undefined) ?? (await overlayChanges(store, image.id));
}

/**
 * Tells of changes to an image that no snapshot has, where `argument` named the image alone and so stands for its newest
 * snapshot: whoever looks at it may mean them, too.
 */
export async function remarkUncommitted(context: CommandContext, argument: string, disk: Disk): Promise<void> {
  if (disk.kind !== 'snapshot' || argument.includes('@')) return;
  const ranges = await uncommittedChanges(disk.store, argument);
  const length = ranges.reduce((sum, range) => sum + range.length, 0);
  if (length === 0) return;
  const what = `${argument} stands for its newest snapshot, ${disk.label}, and ${formatSize(length)} of it changed since`;
  context.remark(`${what}; varve diff ${argument} shows where, varve snapshot ${argument} takes it in`);
}
