import type { BlockDevice } from '../../block/block-device.ts';
import { backingNotAllowed } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { Qcow1ClusterMap } from './cluster-map.ts';
import { type Qcow1Header, readQcow1Header } from './header.ts';
import { Qcow1Device } from './qcow1-device.ts';

/** The disk in a qcow file of the first version. @throws VarveError `CORRUPT`, `UNSUPPORTED`; `PERMISSION` for a backing file that nobody allowed */
export async function openQcow1(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name, openBacking } = options;
  refuseWritable('qcow', options);
  const header = await readQcow1Header(file, name);
  const { backingFile, clusterSize } = header;
  if (backingFile !== undefined && openBacking === undefined) throw backingNotAllowed(name, backingFile);
  const backing = backingFile === undefined ? undefined : await openBacking?.(backingFile, undefined, true);
  const map = new Qcow1ClusterMap(file, header, name);
  return new Qcow1Device({ file, map, backing, information: informationOf(header, file.size), clusterSize, name });
}

function informationOf({ backingFile, clusterSize, size }: Qcow1Header, fileSize: number): FormatInformation {
  const backing = backingFile === undefined ? {} : { backing: { name: backingFile, format: undefined } };
  return { format: 'qcow', virtualSize: size, fileSize, version: 1, clusterSize, compression: 'deflate', ...backing };
}
