import type { ResizableDevice } from '../../block/block-device.ts';
import { runSteps, type Steps } from '../../block/run-steps.ts';
import type { BackingReference, CreateImageOptions } from '../image-format.ts';
import { type NewImage, newImage } from './create-options.ts';
import { compatibleFeature, incompatibleFeature } from './features.ts';
import { encodeHeader, type Qcow2Header } from './header.ts';
import { extensionType, type HeaderExtension } from './header-extensions.ts';
import { headerFor, type Layout, layoutFor, refcountClusters } from './layout.ts';

/**
 * Makes an empty image, with refcounts of 16 bits. The header comes last, so that what was cut off is no image.
 *
 * @throws VarveError `INVALID` for options that make no sense, or a backing file's name that does not fit
 */
export async function createQcow2(file: ResizableDevice, options: CreateImageOptions): Promise<void> {
  const image = newImage(options);
  const layout = layoutFor(options.size, { ...options, extendedL2: image.extendedL2 });
  await runSteps(createSteps(file, layout, image, options.backing));
}

/** Header, refcount table, refcount blocks, L1 table. */
function* createSteps(
  file: ResizableDevice,
  layout: Layout,
  image: NewImage,
  backing: BackingReference | undefined,
): Steps {
  const { clusterSize, l1Size } = layout;
  const l1Clusters = Math.ceil((l1Size * 8) / clusterSize);
  const { blockCount, tableClusters } = refcountClusters(layout, 1 + l1Clusters);
  const firstBlock = 1 + tableClusters;
  const l1Cluster = firstBlock + blockCount;
  const end = l1Cluster + l1Clusters;
  const header = encodeHeader(
    newHeader(layout, image, backing, {
      refcountTableOffset: clusterSize,
      refcountTableClusters: tableClusters,
      l1TableOffset: l1Cluster * clusterSize,
    }),
  );
  yield file.resize(0);
  yield file.resize(end * clusterSize);
  const table = new DataView(new ArrayBuffer(tableClusters * clusterSize));
  for (let index = 0; index < blockCount; index += 1) {
    table.setBigUint64(index * 8, BigInt((firstBlock + index) * clusterSize));
  }
  yield file.write(new Uint8Array(table.buffer), clusterSize);
  const refcounts = new DataView(new ArrayBuffer(blockCount * clusterSize));
  for (let cluster = 0; cluster < end; cluster += 1) refcounts.setUint16(cluster * 2, 1);
  yield file.write(new Uint8Array(refcounts.buffer), firstBlock * clusterSize);
  yield file.flush();
  yield file.write(header, 0);
  yield file.flush();
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
    incompatibleFeatures: header.incompatibleFeatures | (image.extendedL2 ? incompatibleFeature.extendedL2 : 0n),
    compatibleFeatures: image.lazyRefcounts ? compatibleFeature.lazyRefcounts : 0n,
    extensions: [...backingExtensions(backing), ...(image.version === 2 ? [] : header.extensions)],
  };
}

function backingExtensions(backing: BackingReference | undefined): HeaderExtension[] {
  if (backing?.format === undefined) return [];
  return [{ type: extensionType.backingFormat, data: new TextEncoder().encode(backing.format) }];
}
