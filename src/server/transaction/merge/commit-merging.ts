import { isVarveError, VarveError } from '../../../base/varve-error.ts';
import { type LiveImage, openImageForWriting } from '../../../image/live-image.ts';
import { settleImage } from '../../../image/settle-image.ts';
import { completeNote } from '../../../image/snapshot-details.ts';
import { beginTransaction } from '../../../image/transaction/begin-transaction.ts';
import {
  type CommitTransactionOptions,
  commitTransaction,
  holdStacks,
  rollBackTransaction,
} from '../../../image/transaction/end-transaction.ts';
import { transactionStacks } from '../../../image/transaction/list-transactions.ts';
import { dropDeadRuns, takeRunLease } from '../../../image/transaction/run-lease.ts';
import { hexOf } from '../../../store/chunk.ts';
import type { Snapshot } from '../../../store/image-table.ts';
import { commitStacks, MovedError, type Stack } from '../../../store/overlay/commit-stacks.ts';
import { imageOf } from '../../../store/overlay/edit-overlays.ts';
import type { Store } from '../../../store/store.ts';
import { throwIfAborted } from '../../../store/throw-if-aborted.ts';
import type { AttachServedOptions } from '../attach-served.ts';
import type { ShownDisk } from '../serve-disks.ts';
import { mergeImage } from './merge-image.ts';

/** How a transaction is committed that may be merged. */
export interface CommitMergingOptions
  extends Omit<CommitTransactionOptions, 'signal'>,
    Omit<AttachServedOptions, 'isNeeded' | 'mount'> {
  /** Looks at the merged disks before they are committed; left out where nobody has to. */
  readonly check?: ((disks: readonly ShownDisk[]) => Promise<void>) | undefined;
  /** Called for each time that it is merged, with why. */
  readonly onMerge?: ((reason: string) => void) | undefined;
}

/** Others who commit all the time would keep it from ever being over. */
const mostRounds = 10;

/** @throws VarveError `PERMISSION` for who cannot mount, as merging has to */
export function requireMergeRights(): void {
  if (process.geteuid?.() === 0) return;
  throw new VarveError('PERMISSION', 'cannot use --merge: it mounts file systems, and only root can');
}

/**
 * Commits a transaction as `commitTransaction` does; where others were quicker, and changed other files, what it changed
 * is repeated on what they made.
 *
 * @throws VarveError as `commitTransaction`; `CONFLICT` where both changed the same files, or it cannot be merged by files
 */
export async function commitMerging(store: Store, name: string, options: CommitMergingOptions): Promise<Snapshot[]> {
  try {
    return await commitTransaction(store, name, options);
  } catch (error) {
    if (!isMoved(error)) throw error;
    options.onMerge?.(error.message);
  }
  const stacks = transactionStacks(store, name);
  using _leases = holdStacks(store, stacks, `commit ${name}`);
  dropDeadRuns(store);
  for (let left = mostRounds; ; left -= 1) {
    try {
      return await mergeOnce(store, name, stacks, options);
    } catch (error) {
      if (left === 0 || !(error instanceof MovedError)) throw error;
      options.onMerge?.(error.message);
    }
  }
}

function isMoved(error: unknown): error is VarveError {
  return isVarveError(error, 'CONFLICT') && error.cause instanceof MovedError;
}

/** Merges what has moved by now into a transaction of its own, and commits that in place of this one. */
async function mergeOnce(
  store: Store,
  name: string,
  stacks: readonly Stack[],
  options: CommitMergingOptions,
): Promise<Snapshot[]> {
  throwIfAborted(options.signal);
  for (const stack of stacks) await settleImage(store, imageName(store, stack), options);
  const moved = stacks.filter((stack) => hexOf(newestOf(store, stack).id) !== hexOf(stack[0]!.base!.id));
  if (moved.length === 0) return await commitAs(store, name, stacks, [], options);
  const images = moved.map((stack) => imageName(store, stack));
  using lease = takeRunLease(store, images[0]!, `merge ${name}`);
  await beginTransaction(store, images, lease.name);
  try {
    await mergeAll(store, lease.name, moved, options);
    const merged = transactionStacks(store, lease.name);
    using _leases = holdStacks(store, merged, `commit ${name}`);
    const byImage = new Map(merged.map((stack) => [stack[0]!.image, stack]));
    const all = stacks.map((stack) => byImage.get(stack[0]!.image) ?? stack);
    return await commitAs(store, name, all, moved, options);
  } finally {
    dropRest(store, lease.name);
  }
}

async function commitAs(
  store: Store,
  name: string,
  stacks: readonly Stack[],
  replaced: readonly Stack[],
  options: CommitMergingOptions,
): Promise<Snapshot[]> {
  const note = completeNote(options, `Committed ${name}`);
  return await commitStacks(store, stacks, note, { signal: options.signal, replaced });
}

async function mergeAll(
  store: Store,
  transaction: string,
  moved: readonly Stack[],
  options: CommitMergingOptions,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const disks: LiveImage[] = [];
  for (const stack of moved) {
    const image = imageName(store, stack);
    const [lowest] = transactionStacks(store, transaction).find(([layer]) => layer!.image === stack[0]!.image)!;
    const merged = opened.use(await openImageForWriting(store, image, { owner: transaction, purpose: 'merge' }));
    const base = snapshotOf(store, image, stack[0]!.base!.id);
    const newest = snapshotOf(store, image, lowest!.base!.id);
    await mergeImage({ ...options, store, stack, base, newest, merged });
    await merged.device.flush();
    disks.push(merged);
  }
  await options.check?.(disks.map(({ device, name: label }) => ({ device, label })));
}

function imageName(store: Store, [layer]: Stack): string {
  return imageOf(store, layer!.image).name;
}

function newestOf(store: Store, stack: Stack): Snapshot {
  return store.images.resolve(imageName(store, stack));
}

function snapshotOf(store: Store, image: string, id: Uint8Array): Snapshot {
  const found = store.images.snapshots(image).find((each) => hexOf(each.id) === hexOf(id));
  if (found !== undefined) return found;
  throw new VarveError('CONFLICT', `cannot merge ${image}: the snapshot that the transaction began with is gone`);
}

function dropRest(store: Store, name: string): void {
  try {
    rollBackTransaction(store, name);
  } catch (error) {
    if (!isVarveError(error, 'NOT_FOUND')) throw error;
  }
}
