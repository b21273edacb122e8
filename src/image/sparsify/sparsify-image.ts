import { VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import { openImageForWriting } from '../live-image.ts';
import { type SparsifyOptions, type TrimmedDisk, trimUnused } from './trim-unused.ts';

/**
 * Gives back what the file systems of an image's newest snapshot do not use: as its next snapshot.
 *
 * @throws VarveError as `openImageForWriting` and `trimUnused` do; `CONFLICT` where it has changes in no snapshot
 */
export async function sparsifyImage(
  store: Store,
  name: string,
  options: SparsifyOptions,
): Promise<TrimmedDisk & { readonly snapshot: Snapshot }> {
  return await log.scope(`sparsify ${name}`, async () => {
    await using image = await openImageForWriting(store, name, { purpose: `sparsify ${name}` });
    if (image.status().changedBytes > 0) {
      const advice = `make them a snapshot with varve snapshot ${name}, or drop them with varve discard ${name}`;
      throw new VarveError('CONFLICT', `${name} has changes that are in no snapshot; ${advice}`);
    }
    const trimmed = await trimUnused(image.device, { ...options, name });
    const { stored } = await image.snapshot({ message: 'sparsified' });
    const snapshot = await stored;
    log(1, '%s is stored', referenceOf(snapshot));
    return { ...trimmed, snapshot };
  });
}
