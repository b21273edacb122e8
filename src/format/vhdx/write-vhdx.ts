import type { BlockDevice } from '../../block/block-device.ts';
import { AllocatedBlocks } from '../allocated-blocks.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { nonZeroRuns } from '../non-zero-runs.ts';
import { OrderedTarget } from '../ordered-target.ts';
import { shiftedTarget } from '../shifted-target.ts';
import { writeRaw } from '../write-raw.ts';
import { BatWriter } from './bat-writer.ts';
import { BlockWriter } from './block-writer.ts';
import { fileLength, fixedParts, type VhdxLayout, vhdxLayout } from './layout.ts';

/**
 * Writes a disk as a VHDX, dynamic or, with `subformat=fixed`, fixed; its size is rounded up to sectors of 512 bytes.
 * Where the target is seekable, blocks of zeros are found and left out of a dynamic disk; on the way into a pipe all
 * that `extents` calls data is stored.
 *
 * @throws VarveError `INVALID` for options that do not fit and for disks of over 64 TiB, `NO_SPACE`, `ABORTED`
 */
export async function writeVhdx(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const layout = vhdxLayout(source.size, options);
  if (!target.seekable) await streamVhdx(source, target, layout, options);
  else if (layout.subformat === 'fixed') await writeFixed(source, target, layout, options);
  else await writeDynamic(source, target, layout, options);
  options.onProgress?.(source.size);
}

/** Blocks and the BAT first, and the start of the file last, so that what was cut off is no image. */
async function writeDynamic(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdxLayout,
  options: WriteImageOptions,
): Promise<void> {
  if (!target.zeroed) await target.zero(0, layout.firstBlock);
  const blocks = new BlockWriter(target, layout);
  await nonZeroRuns(source, options, (bytes, offset) => blocks.write(bytes, offset));
  await blocks.finish();
  for (const { bytes, offset } of fixedParts(layout).toReversed()) await target.write(bytes, offset);
  await target.finish(fileLength(layout, blocks.count));
}

async function writeFixed(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdxLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const { bat, firstBlock } = layout;
  if (!target.zeroed) await target.zero(0, firstBlock);
  const end = fileLength(layout, bat.blockCount);
  const disk = shiftedTarget(target, firstBlock);
  await writeRaw(source, disk, { ...(onProgress && { onProgress }), ...(signal && { signal }) });
  const diskEnd = firstBlock + source.size;
  if (!target.zeroed && end > diskEnd) await target.zero(diskEnd, end - diskEnd);
  const table = new BatWriter(target, layout);
  for (let block = 0; block < bat.blockCount; block += 1) await table.set(block, fileLength(layout, block));
  await table.finish();
  for (const { bytes, offset } of fixedParts(layout).toReversed()) await target.write(bytes, offset);
  await target.finish(end);
}

/** From the first byte to the last: what the disk's extents call data, or all of a fixed disk, is allocated. */
async function streamVhdx(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdxLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const { blockSize, subformat } = layout;
  const allocated = await AllocatedBlocks.of(source, blockSize);
  const ordered = new OrderedTarget(target);
  for (const { bytes, offset } of fixedParts(layout)) await ordered.write(bytes, offset);
  const table = new BatWriter(ordered, layout);
  let count = 0;
  const isThere = (block: number): boolean => subformat === 'fixed' || allocated.has(block);
  for (let block = 0; block < layout.bat.blockCount; block += 1) {
    if (!isThere(block)) continue;
    await table.set(block, fileLength(layout, count));
    count += 1;
  }
  await table.finish();
  let place = -1;
  let block = -1;
  for await (const piece of diskPieces(source, allocated.ranges(), { alignment: 512, signal })) {
    const next = Math.floor(piece.offset / blockSize);
    if (next !== block) place = subformat === 'fixed' ? next : place + 1;
    block = next;
    await ordered.write(piece.bytes, fileLength(layout, place) + (piece.offset % blockSize));
    onProgress?.(piece.offset + piece.length);
  }
  await ordered.finish(fileLength(layout, count));
}
