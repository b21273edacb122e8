import { formatSize } from '../../base/size.ts';
import type { SparsifiedHistory, SparsifiedSnapshot } from '../../image/sparsify/sparsify-history.ts';
import type { CommandContext } from '../framework/command-context.ts';
import { plural } from './plural.ts';

/** Tells of each snapshot of a history when it is done, and what was left alone in it. */
export function sayOfSnapshot(context: CommandContext, dryRun: boolean): (done: SparsifiedSnapshot) => void {
  return ({ snapshot, steps, unusedLength }) => {
    if (context.json) return;
    const volumes = steps.filter(({ kind }) => kind !== 'left');
    const verb = dryRun ? 'Would trim' : 'Trimming';
    if (volumes.length > 0) context.print(`${verb} ${formatSize(unusedLength)} of ${snapshot} …`);
    for (const step of steps) {
      if (step.kind === 'left') context.print(`Leaving ${step.volume} of ${snapshot} alone: it ${step.reason}.`);
    }
  };
}

/** Prints what came of a history. */
export function showHistory(context: CommandContext, image: string, dryRun: boolean, done: SparsifiedHistory): void {
  const snapshots = done.snapshots.map(({ steps, ...rest }) => ({
    ...rest,
    left: steps.flatMap((step) => (step.kind === 'left' ? [{ volume: step.volume, reason: step.reason }] : [])),
  }));
  context.show({ image, dryRun, ...done, snapshots }, () => summaryOf(image, dryRun, done));
}

function summaryOf(image: string, dryRun: boolean, done: SparsifiedHistory): string {
  const { rewrittenCount, unusedStoredLength, stored, notCollected } = done;
  const unused = formatSize(unusedStoredLength);
  if (dryRun) return `Would free up to ${unused} of the store: but for what other images need.`;
  if (rewrittenCount === 0) return `Nothing to free in the history of ${image}.`;
  const rewritten = `${plural(rewrittenCount, 'snapshot')} of ${image} rewritten.`;
  if (notCollected !== undefined) return `${rewritten}\nvarve gc frees up to ${unused} later: ${notCollected}`;
  return `${rewritten}\nThe store took ${formatSize(stored.before)}, and takes ${formatSize(stored.after)} now.`;
}
