import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import type { OpenImageOptions } from '../image-format.ts';
import { decodeCowdLayout, hasCowdMagic } from './cowd-header.ts';
import type { DescribedExtent } from './descriptor.ts';
import type { DiskExtent } from './disk-extent.ts';
import { flatExtent, unopenedExtent, zeroExtent } from './flat-extent.ts';
import { readHostedFile } from './hosted-file.ts';
import { readBytes } from './read-bytes.ts';
import { openSparseExtent } from './sparse-extent.ts';
import { type SparseLayout, sectorSize } from './sparse-layout.ts';

/** An extent of a disk, open, and in what units it is stored, in bytes. */
export interface OpenedExtent {
  readonly extent: DiskExtent;
  readonly grainSize: number | undefined;
}

/**
 * Opens an extent that a descriptor names.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where its file may not be opened
 */
export async function openExtent(described: DescribedExtent, options: OpenImageOptions): Promise<OpenedExtent> {
  const { access, fileName, size, type } = described;
  const { informationOnly = false, name } = options;
  if (access === 'NOACCESS') throw unsupportedImage(name, 'one of its extents is marked as not to be read (NOACCESS)');
  if (type === 'ZERO') return { extent: zeroExtent(size), grainSize: undefined };
  if (!/^(FLAT|VMFS|SPARSE|VMFSSPARSE)$/.test(type)) throw unsupportedImage(name, `it has an extent of type ${type}`);
  if (fileName === undefined || fileName === '') throw corruptImage(name, `an extent of type ${type} names no file`);
  if (informationOnly) return { extent: unopenedExtent(size, fileName), grainSize: undefined };
  const file = await openFile(fileName, options);
  try {
    return await extentIn(file, described, `extent ${JSON.stringify(fileName)} of ${name}`);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function openFile(fileName: string, { name, openPart }: OpenImageOptions): Promise<BlockDevice> {
  if (openPart !== undefined) return await openPart(fileName);
  const what = `cannot open ${name}: a part of its content is in the file ${JSON.stringify(fileName)}`;
  const advice = "and an image's word is no reason to open another file; allow such files if you trust it";
  throw new VarveError('PERMISSION', `${what}, ${advice}`);
}

async function extentIn(
  file: BlockDevice,
  { offset, size, type }: DescribedExtent,
  name: string,
): Promise<OpenedExtent> {
  if (type === 'FLAT' || type === 'VMFS') return { extent: flatExtent(file, offset, size, name), grainSize: undefined };
  const layout = await readLayout(file, name);
  if (layout.capacity < size) throw corruptImage(name, `it holds ${layout.capacity} bytes, and should hold ${size}`);
  return { extent: await openSparseExtent({ file, layout, size, name }), grainSize: layout.grainSize };
}

async function readLayout(file: BlockDevice, name: string): Promise<SparseLayout> {
  const head = await readBytes(file, 0, sectorSize);
  if (hasCowdMagic(head)) return decodeCowdLayout(head, name);
  return (await readHostedFile(file, name)).layout;
}
