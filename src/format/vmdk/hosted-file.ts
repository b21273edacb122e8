import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import { type Descriptor, decodeDescriptor, maximumDescriptorLength } from './descriptor.ts';
import { readFooter } from './footer.ts';
import { readBytes } from './read-bytes.ts';
import { decodeSparseHeader, hostedLayout, type SparseHeader } from './sparse-header.ts';
import { type SparseLayout, sectorSize } from './sparse-layout.ts';

/** What the header of a hosted sparse extent leads to. */
export interface HostedFile {
  readonly header: SparseHeader;
  readonly layout: SparseLayout;
}

/** @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function readHostedFile(file: BlockDevice, name: string): Promise<HostedFile> {
  const header = decodeSparseHeader(await readBytes(file, 0, sectorSize), name);
  if (header.overHead * sectorSize > file.size) {
    throw corruptImage(name, `it is cut off: its tables go up to byte ${header.overHead * sectorSize}`);
  }
  if (header.gdOffset !== undefined) return { header, layout: hostedLayout(header, header.gdOffset, name) };
  const footer = await readFooter(file, name);
  if (footer.gdOffset === undefined) throw corruptImage(name, 'its footer does not say where the grain directory is');
  if (footer.capacity !== header.capacity || footer.grainSize !== header.grainSize) {
    throw corruptImage(name, 'its footer contradicts its header');
  }
  return { header, layout: hostedLayout(footer, footer.gdOffset, name) };
}

/**
 * The descriptor inside a hosted sparse extent; undefined where it has none.
 *
 * @throws VarveError `CORRUPT`
 */
export async function readEmbeddedDescriptor(
  file: BlockDevice,
  { descriptorOffset, descriptorSize }: SparseHeader,
  name: string,
): Promise<Descriptor | undefined> {
  if (descriptorOffset === 0 || descriptorSize === 0) return undefined;
  const [offset, length] = [descriptorOffset * sectorSize, descriptorSize * sectorSize];
  if (length > maximumDescriptorLength) throw corruptImage(name, `a descriptor of ${length} bytes cannot be`);
  if (offset + length > file.size) throw corruptImage(name, 'its descriptor is not inside the file');
  return decodeDescriptor(await readBytes(file, offset, length), name);
}
