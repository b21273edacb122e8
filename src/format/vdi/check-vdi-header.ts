import { zeroGuid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { type VdiHeader, vdiHeaderLength, vdiImageType } from './header.ts';

const sectorSize = 512;
/** Larger blocks are nobody's; in bytes. */
const maximumBlockSize = 2 ** 30;

/**
 * Refuses a header that contradicts itself, points out of the file of `fileSize` bytes, or asks for what is not known
 * here. `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export function checkVdiHeader(header: VdiHeader, fileSize: number, name: string): void {
  checkKind(header, name);
  checkBlocks(header, name);
  const { blocksInImage, bmapOffset, dataOffset } = header;
  for (const [field, offset] of Object.entries({ offset_bmap: bmapOffset, offset_data: dataOffset })) {
    if (offset % sectorSize === 0 && offset >= vdiHeaderLength) continue;
    throw corruptImage(name, `${field} is ${offset}, and must be a multiple of ${sectorSize} behind the header`);
  }
  const bmapEnd = bmapOffset + blocksInImage * 4;
  if (bmapEnd > fileSize) {
    throw corruptImage(name, `the block map ends at byte ${bmapEnd}, past the end of the file at ${fileSize}`);
  }
  if (bmapOffset < dataOffset && bmapEnd > dataOffset) {
    throw corruptImage(name, `the block map ends at byte ${bmapEnd}, and offset_data is ${dataOffset}`);
  }
}

function checkKind({ imageType, linkUuid, parentUuid }: VdiHeader, name: string): void {
  if (imageType === vdiImageType.undo) throw unsupportedImage(name, 'it is an undo image, which nobody makes any more');
  const isDifferencing = imageType === vdiImageType.differencing || parentUuid !== zeroGuid || linkUuid !== zeroGuid;
  if (isDifferencing) {
    const parent = `it holds only what changed since the image with the UUID ${linkUuid}, and no name of its file`;
    throw unsupportedImage(name, `${parent}; merge the two first, as VBoxManage clonemedium does`);
  }
  if (imageType === vdiImageType.dynamic || imageType === vdiImageType.static) return;
  throw corruptImage(name, `image_type is ${imageType}, and may be 1 to 4`);
}

function checkBlocks({ blockExtra, blockSize, blocksInImage, diskSize }: VdiHeader, name: string): void {
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= sectorSize && blockSize <= maximumBlockSize)) {
    throw corruptImage(name, `block_size is ${blockSize}, and must be a power of two from 512 bytes to 1 GiB`);
  }
  if (blockExtra % sectorSize !== 0)
    throw corruptImage(name, `block_extra is ${blockExtra}, which is no whole sectors`);
  if (diskSize <= blocksInImage * blockSize) return;
  const room = `${blocksInImage} blocks of ${blockSize} bytes`;
  throw corruptImage(name, `disk_size is ${diskSize}, and blocks_in_image only ${room}`);
}
