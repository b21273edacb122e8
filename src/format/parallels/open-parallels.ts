import type { BlockDevice } from '../../block/block-device.ts';
import { BlockMapDevice } from '../block-map-device.ts';
import { FlatBlockMap } from '../flat-block-map.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { batOf } from './bat.ts';
import { type ParallelsHeader, readParallelsHeader } from './header.ts';

/** Reading part of a cluster is as quick as all of it: what the disk likes is what the file does; in bytes. */
const likedSize = 4096;

/**
 * The disk in a Parallels image (one `.hds` file), to be read. One that was not closed is read all the same.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function openParallels(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  refuseWritable('parallels', options);
  const header = await readParallelsHeader(file, name);
  const map = new FlatBlockMap(batOf(file, header, name));
  const information = informationOf(header, file.size);
  return new BlockMapDevice({ file, map, backing: undefined, information, blockSize: likedSize, name });
}

function informationOf(header: ParallelsHeader, fileSize: number): FormatInformation {
  const { clusterSize, diskSize, hasExtension, inUse } = header;
  return {
    format: 'parallels',
    virtualSize: diskSize,
    fileSize,
    clusterSize,
    features: hasExtension ? ['format extension'] : [],
    dirty: inUse,
  };
}
