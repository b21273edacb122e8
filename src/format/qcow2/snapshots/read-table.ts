import { corruptImage } from '../../image-errors.ts';
import type { ImageFile } from '../image-file.ts';

/**
 * A table of an image; the caller has bounded its length. `what` names it in errors.
 *
 * @throws VarveError `CORRUPT` for one that starts inside a cluster or ends past the end of the file
 */
export async function readTable(
  { clusterSize, file, name }: ImageFile,
  offset: number,
  length: number,
  what: string,
): Promise<DataView<ArrayBuffer>> {
  if (offset % clusterSize !== 0 || offset + length > file.size) {
    throw corruptImage(name, `an ${what} cannot be at byte ${offset} of ${file.size}; check and repair it first`);
  }
  const bytes = new Uint8Array(length);
  if (length > 0) await file.read(bytes, offset);
  return new DataView(bytes.buffer);
}
