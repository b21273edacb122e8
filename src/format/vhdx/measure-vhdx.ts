import type { BlockDevice } from '../../block/block-device.ts';
import { AllocatedBlocks } from '../allocated-blocks.ts';
import type { ImageMeasure, WriteImageOptions } from '../image-format.ts';
import { fileLength, vhdxLayout } from './layout.ts';

/**
 * How large a VHDX of a disk would be, with all blocks that its extents call data, in bytes.
 *
 * @throws VarveError `INVALID` as `writeVhdx` does
 */
export async function measureVhdx(source: BlockDevice, options: WriteImageOptions = {}): Promise<ImageMeasure> {
  const layout = vhdxLayout(source.size, options);
  const fullyAllocated = fileLength(layout, layout.bat.blockCount);
  if (layout.subformat === 'fixed') return { required: fullyAllocated, fullyAllocated };
  const { count } = await AllocatedBlocks.of(source, layout.blockSize);
  return { required: fileLength(layout, count), fullyAllocated };
}
