import type { BlockDevice } from '../../block/block-device.ts';
import { BlockMapDevice } from '../block-map-device.ts';
import { FileHoles } from '../file-holes.ts';
import { backingNotAllowed } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { QedClusterMap } from './cluster-map.ts';
import { type QedHeader, readQedHeader } from './header.ts';

/** Reading part of a cluster is as quick as all of it: what the disk likes is what the file does; in bytes. */
const likedSize = 4096;

/**
 * The disk in a QED image, to be read. One that was not closed is read all the same: its tables are always whole.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it has a backing file and `openBacking` is not given
 */
export async function openQed(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name, openBacking } = options;
  refuseWritable('qed', options);
  const header = await readQedHeader(file, name);
  const map = new QedClusterMap(file, header, name, await FileHoles.of(file));
  const information = informationOf(header, file.size);
  if (header.backing !== undefined && openBacking === undefined) throw backingNotAllowed(name, header.backing.name);
  const backing = header.backing && (await openBacking?.(header.backing.name, header.backing.format, true));
  return new BlockMapDevice({ file, map, backing, information, blockSize: likedSize, name });
}

function informationOf(header: QedHeader, fileSize: number): FormatInformation {
  const { backing, clusterSize, imageSize, needCheck } = header;
  return {
    format: 'qed',
    virtualSize: imageSize,
    fileSize,
    clusterSize,
    ...(backing === undefined ? {} : { backing }),
    dirty: needCheck,
  };
}
