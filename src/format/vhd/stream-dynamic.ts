import type { BlockDevice } from '../../block/block-device.ts';
import { AllocatedBlocks } from '../allocated-blocks.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { OrderedTarget } from '../ordered-target.ts';
import { footerLength } from './footer.ts';
import { dynamicHeaderOffset, footerOffset, type VhdLayout } from './layout.ts';
import { emptyTable, headersFor } from './write-dynamic.ts';

/** Writes an image from its first byte to its last: what the disk's extents call data is allocated. */
export async function streamDynamic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const { bitmapLength, blockSize, firstBlock, stride } = layout;
  const allocated = await AllocatedBlocks.of(source, blockSize);
  const { footer, metadata } = metadataFor(layout, allocated);
  const ordered = new OrderedTarget(target);
  await ordered.write(metadata, 0);
  let place = firstBlock - stride;
  let block = -1;
  for await (const piece of diskPieces(source, allocated.ranges(), { alignment: 512, signal })) {
    if (Math.floor(piece.offset / blockSize) !== block) {
      block = Math.floor(piece.offset / blockSize);
      place += stride;
      await ordered.write(new Uint8Array(bitmapLength).fill(0xff), place);
    }
    await ordered.write(piece.bytes, place + bitmapLength + (piece.offset % blockSize));
    onProgress?.(piece.offset + piece.length);
  }
  const end = footerOffset(layout, allocated.count);
  await ordered.write(footer, end);
  await ordered.finish(end + footerLength);
}

/** All up to the first block. */
function metadataFor(
  layout: VhdLayout,
  allocated: AllocatedBlocks,
): { readonly footer: Uint8Array; readonly metadata: Uint8Array } {
  const { blockSize, firstBlock, stride, tableOffset } = layout;
  const table = emptyTable(layout);
  let place = firstBlock;
  for (const { offset } of allocated.ranges()) {
    table.setUint32((offset / blockSize) * 4, place / 512);
    place += stride;
  }
  const { dynamicHeader, footer } = headersFor(layout);
  const metadata = new Uint8Array(Math.min(firstBlock, footerOffset(layout, allocated.count)));
  metadata.set(footer);
  metadata.set(dynamicHeader, dynamicHeaderOffset);
  metadata.set(new Uint8Array(table.buffer), tableOffset);
  return { footer, metadata };
}
