import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { BlockMapDevice } from '../block-map-device.ts';
import { FlatBlockMap } from '../flat-block-map.ts';
import { corruptImage } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { checkVdiHeader } from './check-vdi-header.ts';
import { decodeVdiHeader, type VdiHeader, vdiHeaderLength, vdiImageType } from './header.ts';
import { vdiTable } from './vdi-table.ts';

const sectorSize = 512;
/** Reading part of a block is as quick as all of it: what the disk likes is what the file does; in bytes. */
const likedSize = 4096;

/**
 * The disk in a VDI image, dynamic or static, to be read. A size that is no whole sectors is rounded up, as QEMU does.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for one that builds on another
 */
export async function openVdi(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  refuseWritable('vdi', options);
  const header = await readVdiHeader(file, name);
  const map = new FlatBlockMap(vdiTable(file, header, name));
  const information = informationOf(header, file.size);
  return new BlockMapDevice({ file, map, backing: undefined, information, blockSize: likedSize, name });
}

/** The header of an image, checked. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function readVdiHeader(file: BlockDevice, name: string): Promise<VdiHeader> {
  if (file.size < vdiHeaderLength) throw corruptImage(name, `it has ${file.size} bytes, fewer than a header of VDI`);
  const head = new Uint8Array(vdiHeaderLength);
  await file.read(head, 0);
  const header = decodeVdiHeader(head, name);
  checkVdiHeader(header, file.size, name);
  return header;
}

function informationOf(header: VdiHeader, fileSize: number): FormatInformation {
  const { blockSize, diskSize, imageType } = header;
  return {
    format: 'vdi',
    virtualSize: alignUp(diskSize, sectorSize),
    fileSize,
    clusterSize: blockSize,
    features: imageType === vdiImageType.static ? ['static'] : [],
  };
}
