import type { BlockDevice } from '../../block/block-device.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { shiftedTarget } from '../shifted-target.ts';
import { writeRaw } from '../write-raw.ts';
import { encodeFooter, footerLength } from './footer.ts';
import { newFooter, type VhdLayout, vhdLayout } from './layout.ts';
import { streamDynamic } from './stream-dynamic.ts';
import { writeDynamic } from './write-dynamic.ts';

/**
 * Writes a disk as a VHD, dynamic or, with `subformat=fixed`, fixed. The disk keeps its size, rounded up to sectors of
 * 512 bytes, for those who go by the geometry as well. Where the target is seekable, blocks of zeros are found and left
 * out of a dynamic disk; on the way into a pipe all that `extents` calls data is stored.
 *
 * @throws VarveError `INVALID` for options that do not fit and for disks of over 2040 GiB, `NO_SPACE`, `ABORTED`
 */
export async function writeVhd(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const layout = vhdLayout(source.size, options);
  if (layout.subformat === 'fixed') await writeFixed(source, target, layout, options);
  else if (target.seekable) await writeDynamic(source, target, layout, options);
  else await streamDynamic(source, target, layout, options);
  options.onProgress?.(source.size);
}

/** The disk as it is, and the footer behind it. */
async function writeFixed(
  source: BlockDevice,
  target: ImageTarget,
  layout: VhdLayout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const disk = shiftedTarget(target, 0);
  await writeRaw(source, disk, { ...(onProgress && { onProgress }), ...(signal && { signal }) });
  if (layout.size > source.size) await target.zero(source.size, layout.size - source.size);
  await target.write(encodeFooter(newFooter(layout)), layout.size);
  await target.finish(layout.size + footerLength);
}
