import { VarveError } from '../../base/varve-error.ts';
import type { Store } from '../../store/store.ts';
import { type LiveImage, type OpenForWritingOptions, openImageForWriting } from '../live-image.ts';
import { transactionImages } from './end-transaction.ts';

/**
 * Opens the disk that a transaction makes of an image, to be written to. What is flushed is kept until the transaction is
 * committed or rolled back.
 *
 * @throws VarveError `NOT_FOUND` where there is no such transaction, or the image is not in it; `BUSY` naming who has it open
 */
export async function openTransactionDisk(
  store: Store,
  { image, transaction }: { readonly image: string; readonly transaction: string },
  options: Omit<OpenForWritingOptions, 'owner'>,
): Promise<LiveImage> {
  const images = transactionImages(store, transaction);
  if (images.includes(image)) return await openImageForWriting(store, image, { ...options, owner: transaction });
  throw new VarveError('NOT_FOUND', `${image} is not in ${transaction}, which is about ${images.join(', ')}`);
}
