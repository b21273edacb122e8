import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planMerge } from '../../../changes/merge/plan-merge.ts';
import { diffSnapshots } from '../../../image/diff-snapshots.ts';
import type { LiveImage } from '../../../image/live-image.ts';
import { uncommittedRanges } from '../../../image/overlay-status.ts';
import type { Snapshot } from '../../../store/image-table.ts';
import type { Stack } from '../../../store/overlay/commit-stacks.ts';
import { openOverlay } from '../../../store/overlay/overlay-files.ts';
import type { OverlayLayer } from '../../../store/overlay/overlay-layer.ts';
import type { Store } from '../../../store/store.ts';
import { type AttachServedOptions, attachServed } from '../attach-served.ts';
import { serveDisks } from '../serve-disks.ts';
import { mergeElsewhere } from './merge-elsewhere.ts';

/** One image of a transaction, and what others made of it meanwhile. */
export interface MergeImageRequest extends Omit<AttachServedOptions, 'isNeeded' | 'mount'> {
  readonly store: Store;
  /** What the transaction holds; nobody writes to it. */
  readonly stack: Stack;
  /** What the transaction began with, and what is the newest now. */
  readonly base: Snapshot;
  readonly newest: Snapshot;
  /** A disk of its own on the newest, which gets what the transaction changed. */
  readonly merged: LiveImage;
}

/**
 * Repeats what a transaction changed in the files of an image on what others made of it.
 *
 * @throws VarveError `CONFLICT` where both changed the same, and what mounting and writing throws
 */
export async function mergeImage(request: MergeImageRequest): Promise<void> {
  const { base, merged, newest, signal, stack, store } = request;
  await using opened = new AsyncDisposableStack();
  const baseDevice = opened.use(await store.openSnapshot(base));
  const layers: OverlayLayer[] = [];
  let ours = baseDevice;
  for (const { id } of stack) {
    const layer = opened.use(await openOverlay(store.path, id, { readOnly: true }));
    layers.push(layer);
    ours = opened.use(layer.over(ours));
  }
  const plans = await planMerge({
    ...{ name: newest.image, base: baseDevice, ours, theirs: opened.use(await store.openSnapshot(newest)), signal },
    ourRanges: uncommittedRanges(stack, layers),
    theirRanges: await Array.fromAsync(diffSnapshots(store, base, newest, signal)),
  });
  if (plans.length === 0) return;
  const disks = [
    { device: merged.device, label: newest.image },
    { device: ours, label: newest.image },
  ];
  await using served = await serveDisks(disks);
  const [uri, source] = served.uris;
  await using attached = await attachServed([uri!], { ...request, isNeeded: true });
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const order = { name: newest.image, path: attached.paths[0]!, source: source!, directory, plans };
    await mergeElsewhere(order, signal);
  } finally {
    await rmdir(directory);
  }
}
