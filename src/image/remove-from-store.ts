import { VarveError } from '../base/varve-error.ts';
import { parseReference } from '../store/image-name.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/** What is to be removed of one image: some snapshots, or with `numbers` undefined all of it. */
interface Removal {
  readonly image: string;
  readonly numbers: Set<number> | undefined;
}

/**
 * Removes images (`web`) and snapshots (`web@3`), any of them, in any order; no other snapshot is harmed. Everything is
 * looked up before anything is removed. With `force` changes that are in no snapshot go with their image.
 * @returns what was removed, images as `web` and snapshots as `web@3`
 * @throws NOT_FOUND, INVALID when an image would be left without snapshots, READ_ONLY, BUSY naming who has an image open,
 *   CONFLICT for uncommitted changes
 */
export function removeFromStore(
  store: Store,
  references: readonly string[],
  options: { readonly force?: boolean | undefined } = {},
): string[] {
  store.requireWritable();
  const removals = planRemovals(store, references);
  for (const { image, numbers } of removals) if (numbers !== undefined) refuseToEmpty(store, image, numbers);
  return removals.flatMap(({ image, numbers }) => {
    if (numbers === undefined) {
      store.edit.removeImage(image, options);
      return [image];
    }
    store.edit.removeSnapshots(image, [...numbers]);
    return [...numbers].map((number) => referenceOf({ image, number }));
  });
}

function planRemovals(store: Store, references: readonly string[]): Removal[] {
  const removals = new Map<string, Removal>();
  for (const reference of references) {
    const { image, selector } = parseReference(reference);
    const snapshot = store.images.resolve(reference);
    const before = removals.get(image);
    if (selector.kind === 'newest') removals.set(image, { image, numbers: undefined });
    else if (before === undefined) removals.set(image, { image, numbers: new Set([snapshot.number]) });
    else before.numbers?.add(snapshot.number);
  }
  return [...removals.values()];
}

function refuseToEmpty(store: Store, image: string, numbers: ReadonlySet<number>): void {
  if (numbers.size < store.images.get(image).snapshotCount) return;
  throw new VarveError(
    'INVALID',
    `cannot remove the last snapshot of ${image}; varve remove ${image} removes the image`,
  );
}
