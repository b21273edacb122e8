import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import { decodeFooter, footerLength, footerType, isFooter, startsAsFooter, type VhdFooter } from './footer.ts';

/** The footer that an image goes by. */
export interface FoundFooter {
  readonly footer: VhdFooter;
  /** Where the footer at the end is, or would be; in bytes. */
  readonly endOffset: number;
  /** Whether the one at the end is missing or damaged, and this is its copy at the start. */
  readonly isCopy: boolean;
}

/** A footer of Virtual PC before 2004. */
const oldFooterLength = 511;

/**
 * The footer in the last bytes of a file, `tail`, with the zero that an old one lacks; undefined where none is whole.
 */
export function footerAtEnd(tail: Uint8Array): { readonly bytes: Uint8Array; readonly length: number } | undefined {
  for (const length of [footerLength, oldFooterLength]) {
    if (tail.length < length) continue;
    const bytes = new Uint8Array(footerLength);
    bytes.set(tail.subarray(tail.length - length));
    if (isFooter(bytes)) return { bytes, length };
  }
  return undefined;
}

/**
 * Reads the footer at the end of a file, or else its copy at the start. The one at the end is asked first: what is at
 * the start of a fixed disk was written by its guest.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function readFooter(file: BlockDevice, name: string): Promise<FoundFooter> {
  const tail = await readAt(file, Math.max(0, file.size - footerLength));
  const found = footerAtEnd(tail);
  if (found !== undefined) {
    return { footer: decodeFooter(found.bytes, name), endOffset: file.size - found.length, isCopy: false };
  }
  const head = await readAt(file, 0);
  if (!startsAsFooter(head) && !startsAsFooter(tail)) {
    throw corruptImage(name, 'neither its end nor its start is the footer of a VHD, which begins with conectix');
  }
  if (!isFooter(head) || footerType(head) === 'fixed') {
    throw corruptImage(name, 'the footer at its end is missing, or its Checksum is wrong, and there is no good copy');
  }
  return { footer: decodeFooter(head, name), endOffset: file.size, isCopy: true };
}

async function readAt(file: BlockDevice, offset: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(footerLength, file.size - offset));
  if (bytes.length > 0) await file.read(bytes, offset);
  return bytes;
}
