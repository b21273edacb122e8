import type { BlockDevice } from '../../block/block-device.ts';
import { AllocatedBlocks } from '../allocated-blocks.ts';
import type { ImageMeasure, WriteImageOptions } from '../image-format.ts';
import { footerLength } from './footer.ts';
import { footerOffset, vhdLayout } from './layout.ts';

/**
 * How large a VHD of a disk would be, with all blocks that its extents call data, in bytes.
 *
 * @throws VarveError `INVALID` as `writeVhd` does
 */
export async function measureVhd(source: BlockDevice, options: WriteImageOptions = {}): Promise<ImageMeasure> {
  const layout = vhdLayout(source.size, options);
  const { blockCount, blockSize, size, subformat } = layout;
  if (subformat === 'fixed') return { required: size + footerLength, fullyAllocated: size + footerLength };
  const { count } = await AllocatedBlocks.of(source, blockSize);
  const withBlocks = (blocks: number): number => footerOffset(layout, blocks) + footerLength;
  return { required: withBlocks(count), fullyAllocated: withBlocks(blockCount) };
}
