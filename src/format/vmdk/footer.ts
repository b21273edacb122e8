import type { BlockDevice } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { corruptImage } from '../image-errors.ts';
import { decodeMarker, markerType } from './marker.ts';
import { readBytes } from './read-bytes.ts';
import { decodeSparseHeader, type SparseHeader } from './sparse-header.ts';
import { sectorSize } from './sparse-layout.ts';

/** A footer is looked for before so many bytes of zeros, which some transfers append. */
const maximumPadding = 65536;
/** Marker and footer; the end of the stream, a sector of zeros, comes after them. */
const footerLength = 2 * sectorSize;

/**
 * The header that a stream-optimized extent ends with, which knows what the one at its start could not.
 *
 * @throws VarveError `CORRUPT` where there is none: the file was cut off
 */
export async function readFooter(file: BlockDevice, name: string): Promise<SparseHeader> {
  const fileEnd = file.size - (file.size % sectorSize);
  const start = Math.max(0, fileEnd - footerLength - sectorSize - maximumPadding);
  const tail = await readBytes(file, start, fileEnd - start);
  for (let offset = tail.length - footerLength - sectorSize; offset >= 0; offset -= sectorSize) {
    if (!isZero(tail.subarray(offset + footerLength))) break;
    const marker = decodeMarker(tail.subarray(offset, offset + 16), `footer marker of ${name}`);
    if (marker.type === markerType.footer && marker.val === 1) {
      return decodeSparseHeader(tail.subarray(offset + sectorSize, offset + footerLength), name);
    }
  }
  throw corruptImage(name, 'its footer is missing, so that it must have been cut off');
}
