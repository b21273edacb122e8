import type { BlockDevice } from '../../block/block-device.ts';
import { BlockMapDevice } from '../block-map-device.ts';
import { corruptImage } from '../image-errors.ts';
import type { FormatDevice, FormatInformation, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { type DynamicHeader, decodeDynamicHeader, dynamicHeaderLength } from './dynamic-header.ts';
import { DynamicMap } from './dynamic-map.ts';
import { fixedMap } from './fixed-map.ts';
import { diskSizeOf } from './geometry.ts';
import { openParent, parentNamesOf } from './parent.ts';
import { type FoundFooter, readFooter } from './read-footer.ts';

/** Reading part of a block is as quick as all of it: what the disk likes is what the file does. */
const likedSize = 4096;

/**
 * The disk in a VHD: fixed, dynamic or differencing.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it has a parent and `openBacking` is not given
 */
export async function openVhd(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  refuseWritable('vpc', options);
  const found = await readFooter(file, name);
  const size = diskSizeOf(found.footer);
  const information = informationOf(found, size, file.size);
  if (found.footer.type === 'fixed') {
    checkFixedSize(size, found.endOffset, name);
    const fixed = { map: fixedMap, backing: undefined, blockSize: likedSize };
    return new BlockMapDevice({ file, information, name, ...fixed });
  }
  const header = await readDynamicHeader(file, found, name);
  const known = { file, information: { ...information, clusterSize: header.blockSize }, blockSize: likedSize, name };
  if (found.footer.type === 'dynamic') {
    const map = new DynamicMap({ file, header, size, absent: 'hole', name });
    return new BlockMapDevice({ ...known, map, backing: undefined, holesArePresent: true });
  }
  const parentNames = await parentNamesOf(file, header, name);
  const backing = options.informationOnly ? undefined : await openParent(parentNames, header, options);
  const map = new DynamicMap({ file, header, size, absent: 'backing', name });
  const parent = { backing: { name: parentNames[0]!, format: 'vpc' } };
  return new BlockMapDevice({ ...known, information: { ...known.information, ...parent }, map, backing });
}

/**
 * The dynamic disk header of an image that is not fixed, with all that reading relies on checked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function readDynamicHeader(
  file: BlockDevice,
  { footer }: FoundFooter,
  name: string,
): Promise<DynamicHeader> {
  const offset = footer.dataOffset ?? 0;
  if (offset + dynamicHeaderLength > file.size) {
    throw corruptImage(name, `the footer's Data Offset is ${offset}, and the file has ${file.size} bytes`);
  }
  const bytes = new Uint8Array(dynamicHeaderLength);
  await file.read(bytes, offset);
  const header = decodeDynamicHeader(bytes, name);
  checkDynamicHeader(header, diskSizeOf(footer), file.size, name);
  return header;
}

function checkDynamicHeader(header: DynamicHeader, size: number, fileSize: number, name: string): void {
  const { blockSize, maxTableEntries, tableOffset } = header;
  if (blockSize < 512 || !Number.isInteger(Math.log2(blockSize))) {
    throw corruptImage(name, `Block Size is ${blockSize}, and must be a power of two from 512 on`);
  }
  const blockCount = Math.ceil(size / blockSize);
  if (maxTableEntries < blockCount) {
    throw corruptImage(name, `Max Table Entries is ${maxTableEntries}, and its disk has ${blockCount} blocks`);
  }
  if (tableOffset + blockCount * 4 > fileSize) {
    const end = `${blockCount} entries from Table Offset ${tableOffset} on lie past the end of the file`;
    throw corruptImage(name, `${end}, which has ${fileSize} bytes`);
  }
}

function checkFixedSize(size: number, footerOffset: number, name: string): void {
  if (size <= footerOffset) return;
  throw corruptImage(name, `its disk has ${size} bytes, and there are ${footerOffset} before the footer`);
}

function informationOf({ footer, isCopy }: FoundFooter, virtualSize: number, fileSize: number): FormatInformation {
  return {
    format: 'vpc',
    virtualSize,
    fileSize,
    version: 1,
    contentId: footer.uniqueId,
    features: [footer.type],
    ...(isCopy ? { corrupt: true } : {}),
  };
}
