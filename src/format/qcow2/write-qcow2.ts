import type { BlockDevice } from '../../block/block-device.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { throughTemporaryFile } from '../temporary-file.ts';
import { ImageBuilder } from './image-builder.ts';
import { layoutFor } from './layout.ts';
import { streamQcow2 } from './stream-qcow2.ts';
import { writeCompressedClusters, writePlainClusters } from './write-clusters.ts';

/**
 * Writes a disk as a qcow2 image of version 3, with 16-bit refcounts, without a backing file. Where the target is
 * seekable, clusters of zeros are found and left out; on the way into a pipe what `extents` calls data is stored
 * as it is, and a compressed image goes through a temporary file, because its tables come after what they describe.
 *
 * @throws VarveError `INVALID` for a cluster size that does not fit, `NO_SPACE`, `ABORTED`
 */
export async function writeQcow2(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const layout = layoutFor(source.size, options);
  const { compression = 'none', onProgress, signal } = options;
  if (!target.seekable && compression === 'none') return streamQcow2(source, target, layout, options);
  if (!target.seekable) return throughTemporaryFile(target, (file) => writeQcow2(source, file, options), signal);
  const builder = new ImageBuilder(layout, target, options);
  if (compression === 'none') await writePlainClusters(source, builder, layout, options);
  else await writeCompressedClusters(source, builder, layout, { ...options, compression });
  await builder.finish();
  onProgress?.(source.size);
}
