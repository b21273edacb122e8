import type { BlockDevice } from '../../block/block-device.ts';
import { BlockMapDevice } from '../block-map-device.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { openParent, parentReference } from './parent.ts';
import { type ReadVhdx, readVhdx } from './read-vhdx.ts';
import { VhdxMap } from './vhdx-map.ts';

/** Reading part of a block is as quick as all of it: what the disk likes is what the file does; in bytes. */
const likedSize = 4096;

/**
 * The disk in a VHDX: fixed, dynamic or differencing. A log that was not finished with is replayed in memory.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it has a parent and `openBacking` is not given
 */
export async function openVhdx(original: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  refuseWritable('vhdx', options);
  const read = await readVhdx(original, name);
  const { file, layout, parameters, parentLocator, regions } = read;
  const { hasParent, logicalSectorSize } = parameters;
  const map = new VhdxMap({ file, layout, batOffset: regions.bat.offset, logicalSectorSize, hasParent, name });
  const information = informationOf(read, original.size);
  if (!hasParent) {
    return new BlockMapDevice({
      file,
      map,
      backing: undefined,
      information,
      blockSize: likedSize,
      name,
      holesArePresent: true,
    });
  }
  const reference = parentReference(parentLocator, name);
  const backing = options.informationOnly ? undefined : await openParent(reference, options);
  const parent = { backing: { name: reference.names[0]!, format: 'vhdx' } };
  return new BlockMapDevice({
    file,
    map,
    backing,
    information: { ...information, ...parent },
    blockSize: likedSize,
    name,
  });
}

function informationOf({ header, isDirty, parameters }: ReadVhdx, fileSize: number): FormatInformation {
  const { blockSize, hasParent, leavesBlocksAllocated, logicalSectorSize, size } = parameters;
  const type = hasParent ? 'differencing' : leavesBlocksAllocated ? 'fixed' : 'dynamic';
  return {
    format: 'vhdx',
    virtualSize: size,
    fileSize,
    version: 1,
    clusterSize: blockSize,
    contentId: header.dataWriteGuid,
    features: [type, ...(logicalSectorSize === 512 ? [] : [`logical sectors of ${logicalSectorSize} bytes`])],
    dirty: isDirty,
  };
}
