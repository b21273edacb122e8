import { setTimeout } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import { parseReference } from '../store/image-name.ts';
import type { Image } from '../store/image-table.ts';
import { takeWriteLease } from '../store/overlay/edit-overlays.ts';
import { storePending } from '../store/overlay/store-pending.ts';
import type { Store } from '../store/store.ts';
import { throwIfAborted } from '../store/throw-if-aborted.ts';
import { dropEmptyLayers } from './drop-empty-layers.ts';

/** How long one waits. */
export interface SettleOptions {
  readonly signal?: AbortSignal | undefined;
}

const lookAgainMs = 50;
/** Nobody takes longer over one snapshot, unless its disk is full or worse. */
const patienceMs = 600_000;

/**
 * Brings an image to rest, which `reference` names or a snapshot of it: snapshots that are made are stored when this
 * returns, by the process that has it open, or by this one. An empty overlay that a process left is gone. Costs a look
 * into the catalog where there is nothing to do. A store that cannot be written to, and an image that is not there, are
 * left as they are.
 * @throws INVALID, ABORTED, NO_SPACE, CORRUPT, IO; BUSY when the process that has it open does not get on with it
 */
export async function settleImage(store: Store, reference: string, options: SettleOptions = {}): Promise<void> {
  const image = store.images.find(parseReference(reference).image);
  const deadline = Date.now() + patienceMs;
  while (image !== undefined && !store.readOnly && store.overlays.stack(image.id).length > 0) {
    throwIfAborted(options.signal);
    const writer = store.leases.writerOf(image.id, '');
    if (writer === undefined) return await settleAlone(store, image, options);
    const [pending] = store.overlays.pending(image.id);
    if (pending === undefined) return;
    if (Date.now() > deadline) {
      const who = `${writer.purpose} (process ${writer.pid})`;
      throw new VarveError('BUSY', `${image.name}@${pending.number} is being stored still: ${who}`);
    }
    await setTimeout(lookAgainMs);
  }
}

async function settleAlone(store: Store, image: Image, options: SettleOptions): Promise<void> {
  const who = { image: image.id, owner: '' };
  const lease = takeWriteLease(store, { ...who, purpose: `store snapshots of ${image.name}` });
  try {
    while ((await storePending(store, who, options)) !== undefined);
    await dropEmptyLayers(store, who);
  } finally {
    store.leases.release(lease);
  }
}
