import type { BlockDevice } from '../../block/block-device.ts';
import { backingNotAllowed } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, ImageFormat, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { Qcow1ClusterMap } from './cluster-map.ts';
import { type Qcow1Header, qcowMagic, readQcow1Header } from './header.ts';
import { Qcow1Device } from './qcow1-device.ts';

/** The first version of QEMU's copy-on-write format, which is read here and not written. */
export const qcow1Format: ImageFormat = {
  name: 'qcow',
  extensions: [],
  probe(head) {
    if (head.length < 8) return 0;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    return view.getUint32(0) === qcowMagic && view.getUint32(4) === 1 ? 100 : 0;
  },
  open: openQcow1,
};

async function openQcow1(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
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
