import { formatSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { hexOf } from '../../store/chunk.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import { commitStacks, MovedError, type Stack } from '../../store/overlay/commit-stacks.ts';
import { imageOf, takeWriteLease } from '../../store/overlay/edit-overlays.ts';
import { openOverlay } from '../../store/overlay/overlay-files.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import type { Store } from '../../store/store.ts';
import { diffSnapshots } from '../diff-snapshots.ts';
import { settleImage } from '../settle-image.ts';
import { completeNote, type SnapshotDetails } from '../snapshot-details.ts';
import { transactionStacks } from './list-transactions.ts';

/** How a transaction is committed. */
export interface CommitTransactionOptions extends SnapshotDetails {
  readonly signal?: AbortSignal | undefined;
  /** Names the files that differ between two snapshots, for the message of a conflict; undefined where nobody can tell. */
  readonly filesBetween?: (store: Store, before: Snapshot, after: Snapshot) => Promise<string | undefined>;
}

/** Only so many ranges are named in a message. */
const mostRanges = 3;

/**
 * Makes what a transaction holds the next snapshot of each of its images: all of them, or none. Returns when it is
 * durable; images that it did not change get no snapshot. Nobody else may have it open.
 *
 * @throws VarveError `NOT_FOUND`, `BUSY` naming who has it open, `CONFLICT` naming what others changed meanwhile, and then
 *   the transaction is still there
 */
export async function commitTransaction(
  store: Store,
  name: string,
  options: CommitTransactionOptions = {},
): Promise<Snapshot[]> {
  return await log.scope(`commit ${name}`, async () => {
    const stacks = transactionStacks(store, name);
    using _leases = holdStacks(store, stacks, `commit ${name}`);
    for (const image of transactionImages(store, name)) await settleImage(store, image, options);
    for (const stack of stacks) await flushTop(store, stack);
    const note = completeNote(options, `Committed ${name}`);
    try {
      return await commitStacks(store, stacks, note, { signal: options.signal });
    } catch (error) {
      throw error instanceof MovedError ? await explained(store, name, error, options) : error;
    }
  });
}

/** Forgets a transaction and what it holds. @throws VarveError `NOT_FOUND`, `BUSY` naming who has it open */
export function rollBackTransaction(store: Store, name: string): void {
  const stacks = transactionStacks(store, name);
  using _leases = holdStacks(store, stacks, `roll back ${name}`);
  store.catalog.write(() => {
    for (const stack of stacks) dropLayers(store, stack);
  });
  for (const stack of stacks) removeLayerFiles(store, stack);
}

/** Makes this process the one that writes to the stacks, until what is returned is disposed of. */
export function holdStacks(store: Store, stacks: readonly Stack[], purpose: string): Disposable {
  using stack = new DisposableStack();
  for (const [layer] of stacks) {
    const lease = takeWriteLease(store, { image: layer!.image, owner: layer!.owner, purpose });
    stack.defer(() => store.leases.release(lease));
  }
  return stack.move();
}

/** Who wrote to it may have died before all of it was durable. */
export async function flushTop(store: Store, stack: Stack): Promise<void> {
  await using layer = await openOverlay(store.path, stack.at(-1)!.id);
  await layer.flush();
}

/** Says what others changed, as far as the snapshot that the transaction began with is still there. */
async function explained(
  store: Store,
  name: string,
  moved: MovedError,
  { filesBetween }: CommitTransactionOptions,
): Promise<VarveError> {
  const { base, newest } = moved;
  const before = store.images.snapshots(newest.image).find(({ id }) => hexOf(id) === hexOf(base.id));
  const files = before && (await filesBetween?.(store, before, newest));
  const named = files === undefined ? '' : `: ${files}`;
  const what = before === undefined ? '' : `, which changed ${await changesBetween(store, before, newest)}${named}`;
  const moves = `${newest.image}@${base.number} was the newest, and now ${referenceOf(newest)} is${what}`;
  return new VarveError('CONFLICT', `cannot commit ${name}: ${newest.image} has moved on: ${moves}`, { cause: moved });
}

async function changesBetween(store: Store, before: Snapshot, after: Snapshot): Promise<string> {
  const ranges: string[] = [];
  let total = 0;
  let count = 0;
  for await (const { offset, length } of diffSnapshots(store, before, after)) {
    if (ranges.length < mostRanges) ranges.push(`${formatSize(length)} at ${formatSize(offset)}`);
    total += length;
    count += 1;
  }
  if (count === 0) return 'nothing';
  const list = count > mostRanges ? `${ranges.join(', ')} and ${count - mostRanges} more` : ranges.join(', ');
  return `${formatSize(total)} (${list})`;
}

/** The images of a transaction, by name. @throws VarveError `NOT_FOUND` */
export function transactionImages(store: Store, name: string): string[] {
  return transactionStacks(store, name).map(([layer]) => imageOf(store, layer!.image).name);
}
