import { VarveError } from '../base/varve-error.ts';
import { parseReference } from '../store/image-name.ts';
import { machinesOn } from '../store/overlay/refuse-overlays.ts';
import type { Store } from '../store/store.ts';
import { judgeSnapshots, type RetentionPolicy, type Verdict } from './retention.ts';

/**
 * Removes the snapshots of an image that a policy does not keep, and no machine has an overlay on; with `dryRun` only says which.
 * @throws INVALID when the policy keeps nothing, NOT_FOUND, READ_ONLY
 */
export function pruneImage(
  store: Store,
  image: string,
  policy: RetentionPolicy,
  options: { readonly dryRun?: boolean | undefined } = {},
): Verdict[] {
  if (!keepsAnything(policy)) {
    throw new VarveError('INVALID', `what is to be kept of ${image}? say so with --keep-last, --keep-daily and so on`);
  }
  if (parseReference(image).selector.kind !== 'newest') {
    throw new VarveError('INVALID', `cannot prune ${image}: it names a snapshot; name an image`);
  }
  const machines = machinesOn(store, store.images.get(image).id);
  const verdicts = judgeSnapshots(store.images.snapshots(image), policy).map(({ snapshot, reasons }) => {
    const pinning = (machines.get(snapshot.number) ?? []).map((mac) => `machine ${mac}`);
    return { snapshot, reasons: [...reasons, ...pinning] };
  });
  if (options.dryRun) return verdicts;
  store.requireWritable();
  const removed = verdicts.filter(({ reasons }) => reasons.length === 0);
  if (removed.length > 0) {
    store.edit.removeSnapshots(
      image,
      removed.map(({ snapshot }) => snapshot.number),
    );
  }
  return verdicts;
}

function keepsAnything(policy: RetentionPolicy): boolean {
  const { last, hourly, daily, weekly, monthly, yearly, tags = [] } = policy;
  return tags.length > 0 || [last, hourly, daily, weekly, monthly, yearly].some((count) => (count ?? 0) > 0);
}
