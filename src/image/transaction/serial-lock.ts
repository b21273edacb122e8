import { setTimeout } from 'node:timers/promises';
import { isVarveError } from '../../base/varve-error.ts';
import { takeWriteLease } from '../../store/overlay/edit-overlays.ts';
import type { Store } from '../../store/store.ts';
import { throwIfAborted } from '../../store/throw-if-aborted.ts';

/** How long one waits before one asks again. */
const askAgainMs = 50;
/** Whom the leases belong to that serial transactions hold; no transaction has such a name. */
const owner = 'serial';

/** How one waits. */
export interface SerialOptions {
  /** In words, for those who wait. */
  readonly purpose: string;
  readonly signal: AbortSignal;
  /** Called once for whom one waits. */
  readonly onWait: (holder: string) => void;
}

/**
 * Waits until no other serial transaction works on any of these images, and lets none begin until what is returned is
 * disposed of. A holder that dies loses it.
 *
 * @throws VarveError `NOT_FOUND`, `ABORTED`
 */
export async function serialLock(store: Store, images: readonly string[], options: SerialOptions): Promise<Disposable> {
  using stack = new DisposableStack();
  // In one order for all, so that no two wait for each other.
  const numbers = images.map((name) => store.images.get(name).id).sort((a, b) => a - b);
  for (const image of numbers) {
    const lease = await whenFree(() => takeWriteLease(store, { image, owner, purpose: options.purpose }), options);
    stack.defer(() => store.leases.release(lease));
  }
  return stack.move();
}

async function whenFree(take: () => number, { onWait, signal }: SerialOptions): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(signal);
    try {
      return take();
    } catch (error) {
      if (!isVarveError(error, 'BUSY')) throw error;
      if (attempt === 0) onWait(error.message);
      await setTimeout(askAgainMs);
    }
  }
}
