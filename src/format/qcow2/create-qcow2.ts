import type { ResizableDevice } from '../../block/block-device.ts';
import { runSteps, type Steps } from '../../block/run-steps.ts';
import type { BackingReference, CreateImageOptions } from '../image-format.ts';
import { type NewImage, newImage } from './create-options.ts';
import { autoclearFeature, compatibleFeature, incompatibleFeature } from './features.ts';
import { encodeHeader, type Qcow2Header } from './header.ts';
import { extensionType, type HeaderExtension } from './header-extensions.ts';
import { headerFor, type Layout, layoutFor } from './layout.ts';
import { placeTables, writeTables } from './new-tables.ts';

/**
 * Makes an empty image, with refcounts of 16 bits. The header comes last, so that what was cut off is no image. The file's
 * space and its data file are up to the caller.
 *
 * @throws VarveError `INVALID` for options that make no sense, or a backing file's name that does not fit
 */
export async function createQcow2(file: ResizableDevice, options: CreateImageOptions): Promise<void> {
  const image = newImage(options);
  const layout = layoutFor(options.size, { ...options, extendedL2: image.extendedL2 });
  await runSteps(createSteps(file, layout, image, options.backing));
}

/** Sets the file's length, writes the tables, and then the header. */
function* createSteps(
  file: ResizableDevice,
  layout: Layout,
  image: NewImage,
  backing: BackingReference | undefined,
): Steps {
  const { clusterSize } = layout;
  const isOutside = image.dataFile !== undefined;
  const clusterCount = image.preallocation === 'off' ? 0 : Math.ceil(layout.size / clusterSize);
  const places = placeTables(layout, { clusterCount, isOutside });
  const header = encodeHeader(
    newHeader(layout, image, backing, {
      refcountTableOffset: places.refcountTable * clusterSize,
      refcountTableClusters: places.refcountTableCount,
      l1TableOffset: places.l1Table * clusterSize,
    }),
  );
  yield file.resize(0);
  yield file.resize(places.end * clusterSize);
  yield* writeTables(file, layout, places, { clusterCount, isOutside });
  if (image.preallocation === 'full' && !isOutside) yield* writeZeros(file, places.data, places.end, clusterSize);
  yield file.flush();
  yield file.write(header, 0);
  yield file.flush();
}

function* writeZeros(file: ResizableDevice, first: number, end: number, clusterSize: number): Steps {
  const zeros = new Uint8Array(2 ** 21);
  for (let offset = first * clusterSize; offset < end * clusterSize; offset += zeros.length) {
    yield file.write(zeros.subarray(0, Math.min(zeros.length, end * clusterSize - offset)), offset);
  }
}

function newHeader(
  layout: Layout,
  image: NewImage,
  backing: BackingReference | undefined,
  places: Parameters<typeof headerFor>[2],
): Qcow2Header {
  const header = headerFor(layout, image, places);
  return {
    ...header,
    version: image.version,
    backingFile: backing?.name,
    incompatibleFeatures:
      header.incompatibleFeatures |
      (image.extendedL2 ? incompatibleFeature.extendedL2 : 0n) |
      (image.dataFile === undefined ? 0n : incompatibleFeature.externalDataFile),
    autoclearFeatures: image.dataFile?.isRaw ? autoclearFeature.rawExternalData : 0n,
    compatibleFeatures: image.lazyRefcounts ? compatibleFeature.lazyRefcounts : 0n,
    extensions: [
      ...backingExtensions(backing),
      ...dataFileExtensions(image),
      ...(image.version === 2 ? [] : header.extensions),
    ],
  };
}

function dataFileExtensions({ dataFile }: NewImage): HeaderExtension[] {
  if (dataFile === undefined) return [];
  return [{ type: extensionType.externalDataFile, data: new TextEncoder().encode(dataFile.name) }];
}

function backingExtensions(backing: BackingReference | undefined): HeaderExtension[] {
  if (backing?.format === undefined) return [];
  return [{ type: extensionType.backingFormat, data: new TextEncoder().encode(backing.format) }];
}
