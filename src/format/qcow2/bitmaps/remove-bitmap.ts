import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { checkHeader, hasFeature } from '../check-header.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import { autoclearFeature } from '../features.ts';
import { extensionType, type HeaderExtension } from '../header-extensions.ts';
import { ImageFile } from '../image-file.ts';
import { readHeader } from '../read-header.ts';
import { Refcounts } from '../refcounts.ts';
import { type BitmapEntry, encodeBitmapDirectory, encodeBitmapsExtension } from './bitmap-directory.ts';
import { findBitmap } from './find-bitmap.ts';
import { bitmapsExtensionOf, readBitmapDirectory, readBitmapTable } from './read-bitmaps.ts';

/**
 * Removes a persistent dirty bitmap from a qcow2 image, and frees what it took. Nobody else may have the file open to
 * write. Cut off at any moment, the image has the bitmap or not.
 *
 * @throws VarveError `NOT_FOUND`, `READ_ONLY`, `NO_SPACE`, `CORRUPT`
 */
export async function removeQcow2Bitmap(file: BlockDevice, imageName: string, bitmap: string): Promise<void> {
  const header = await readHeader(file, imageName);
  checkHeader(header, file.size, imageName);
  if (!file.supports.write || hasFeature(header, 'corrupt') || hasFeature(header, 'dirty')) {
    const why = file.supports.write ? 'it is not in order; check and repair it first' : 'its file is read-only';
    throw new VarveError('READ_ONLY', `cannot remove a bitmap from ${imageName}: ${why}`);
  }
  const image = new ImageFile(file, header, imageName);
  const refcounts = await runSteps(Refcounts.open(image));
  const entries = await runSteps(readBitmapDirectory(file, header, imageName));
  const found = findBitmap(entries, bitmap, imageName);
  await releaseBitmap(image, refcounts, found);
  const directory = bitmapsExtensionOf(header, file.size, imageName)!;
  refcounts.release(
    directory.directoryOffset / image.clusterSize,
    Math.ceil(directory.directorySize / image.clusterSize),
  );
  await replaceDirectory(
    image,
    refcounts,
    entries.filter((entry) => entry !== found),
  );
  await runSteps(refcounts.applyReleases());
  await runSteps(refcounts.write());
  await file.flush();
}

async function releaseBitmap(image: ImageFile, refcounts: Refcounts, entry: BitmapEntry): Promise<void> {
  const { clusterSize, file, header, name } = image;
  const table = await runSteps(readBitmapTable(file, header, entry, name));
  for (let position = 0; position < table.byteLength; position += 8) {
    const offset = hostOffsetOf(table.getUint32(position), table.getUint32(position + 4));
    if (offset !== 0) refcounts.release(Math.floor(offset / clusterSize), 1);
  }
  if (table.byteLength > 0)
    refcounts.release(entry.tableOffset / clusterSize, Math.ceil(table.byteLength / clusterSize));
}

/** Makes the header point to a new directory of `entries`, or to none. */
async function replaceDirectory(
  image: ImageFile,
  refcounts: Refcounts,
  entries: readonly BitmapEntry[],
): Promise<void> {
  const { clusterSize, file, header } = image;
  const others = header.extensions.filter(({ type }) => type !== extensionType.bitmaps);
  if (entries.length === 0) {
    await runSteps(image.changeFields({ autoclearFeatures: header.autoclearFeatures & ~autoclearFeature.bitmaps }));
    await file.flush();
    await writeExtensions(image, others);
    return;
  }
  const encoded = encodeBitmapDirectory(entries);
  const count = Math.ceil(encoded.length / clusterSize);
  const directoryOffset = (await runSteps(refcounts.allocateContiguous(count))) * clusterSize;
  const bytes = new Uint8Array(count * clusterSize);
  bytes.set(encoded);
  await file.write(bytes, directoryOffset);
  await runSteps(refcounts.write());
  await file.flush();
  const extension = { bitmapCount: entries.length, directorySize: encoded.length, directoryOffset };
  const data = encodeBitmapsExtension(extension);
  // In its old place, so that nothing else of the header moves.
  await writeExtensions(
    image,
    header.extensions.map((each) => (each.type === extensionType.bitmaps ? { type: each.type, data } : each)),
  );
}

async function writeExtensions(image: ImageFile, extensions: readonly HeaderExtension[]): Promise<void> {
  await runSteps(image.replaceHeader({ ...image.header, extensions }));
  await image.file.flush();
}
