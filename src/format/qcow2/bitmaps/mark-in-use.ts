import type { Steps } from '../../../block/run-steps.ts';
import type { ImageFile } from '../image-file.ts';
import { type BitmapEntry, bitmapFlag, encodeBitmapDirectory } from './bitmap-directory.ts';
import { bitmapsExtensionOf, readBitmapDirectory } from './read-bitmaps.ts';

/**
 * Says of the bitmaps that `isMeant` that they are being changed, durably: whoever is cut off now leaves none behind
 * that is taken for whole. Gives all bitmaps as they were.
 *
 * @throws VarveError `CORRUPT`
 */
export function* markBitmapsInUse(
  image: ImageFile,
  isMeant: (entry: BitmapEntry) => boolean,
): Steps<readonly BitmapEntry[]> {
  const { file, header, name } = image;
  const entries = yield* readBitmapDirectory(file, header, name);
  const marked = entries.map((entry) => (isMeant(entry) ? inUse(entry) : entry));
  if (entries.some(isMeant)) yield* rewriteBitmapDirectory(image, marked);
  return entries;
}

/** The entry, marked as in use. */
export function inUse(entry: BitmapEntry): BitmapEntry {
  return { ...entry, flags: entry.flags | bitmapFlag.inUse };
}

/** Writes a directory over itself, with other flags and nothing else changed, durably. */
export function* rewriteBitmapDirectory(image: ImageFile, entries: readonly BitmapEntry[]): Steps {
  const { file, header, name } = image;
  const extension = bitmapsExtensionOf(header, file.size, name);
  if (extension === undefined) return;
  yield file.write(encodeBitmapDirectory(entries), extension.directoryOffset);
  yield file.flush();
}
