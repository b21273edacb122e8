import type { BlockDevice } from '../../block/block-device.ts';
import { backingNotAllowed, corruptImage } from '../image-errors.ts';
import type { FormatDevice, OpenImageOptions } from '../image-format.ts';
import { refuseWritable } from '../read-only-format.ts';
import { decodeCowdLayout, hasCowdMagic } from './cowd-header.ts';
import { contentIdText, type Descriptor, decodeDescriptor, maximumDescriptorLength } from './descriptor.ts';
import type { DiskExtent } from './disk-extent.ts';
import { readEmbeddedDescriptor, readHostedFile } from './hosted-file.ts';
import { type OpenedExtent, openExtent } from './open-extent.ts';
import { readBytes } from './read-bytes.ts';
import { openSparseExtent } from './sparse-extent.ts';
import { isHosted } from './sparse-header.ts';
import { type SparseLayout, sectorSize } from './sparse-layout.ts';
import { VmdkDevice } from './vmdk-device.ts';
import { vmdkInformation } from './vmdk-information.ts';

/** What flat extents are said to like, in bytes. */
const flatBlockSize = 65536;

/**
 * The disk in a VMDK file: a sparse extent by itself, or a descriptor that names the files of its extents.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` where it needs another file, and `openPart` or
 *   `openBacking` is not given
 */
export async function openVmdk(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  refuseWritable('VMDK', options);
  const head = await readBytes(file, 0, sectorSize);
  if (hasCowdMagic(head)) return await openCowd(file, decodeCowdLayout(head, name), options);
  if (isHosted(head)) return await openHosted(file, options);
  if (file.size > maximumDescriptorLength) {
    throw corruptImage(name, `it has ${file.size} bytes, too many for a descriptor, and is no sparse extent`);
  }
  const descriptor = decodeDescriptor(await readBytes(file, 0, maximumDescriptorLength), name);
  return await openDescribed(file, descriptor, options);
}

async function openCowd(file: BlockDevice, layout: SparseLayout, { name }: OpenImageOptions): Promise<FormatDevice> {
  const extent = await openSparseExtent({ file, layout, size: layout.capacity, name });
  const information = vmdkInformation({ fileSize: file.size, size: layout.capacity, layout, subformat: 'vmfsSparse' });
  const { grainSize } = layout;
  return new VmdkDevice({ extents: [extent], information, grainSize, name });
}

async function openHosted(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice> {
  const { name } = options;
  const { header, layout } = await readHostedFile(file, name);
  const descriptor = await readEmbeddedDescriptor(file, header, name);
  const isWhole = descriptor === undefined || /^(monolithicSparse|streamOptimized)$/i.test(descriptor.createType);
  // Without a capacity of its own it is there for its descriptor only.
  if (header.capacity === 0 && !isWhole) return await openDescribed(file, descriptor, options);
  const { capacity: size, grainSize } = layout;
  const extent = await openSparseExtent({ file, layout, size, name });
  const parent = await openParent(descriptor, options);
  const information = vmdkInformation({
    ...{ fileSize: file.size, size, layout, header, descriptor },
    subformat: descriptor?.createType ?? 'extent',
  });
  return new VmdkDevice({ extents: [extent], parent, information, grainSize, name });
}

async function openDescribed(
  file: BlockDevice,
  descriptor: Descriptor,
  options: OpenImageOptions,
): Promise<FormatDevice> {
  const { name } = options;
  const size = descriptor.extents.reduce((sum, extent) => sum + extent.size, 0);
  if (!Number.isSafeInteger(size)) throw corruptImage(name, 'its extents are over 2^53 bytes together');
  if (descriptor.extents.length === 0) throw corruptImage(name, 'its descriptor has no extents');
  await using opening = new AsyncDisposableStack();
  const opened: OpenedExtent[] = [];
  for (const described of descriptor.extents) {
    const each = await openExtent(described, options);
    opening.use(each.extent);
    opened.push(each);
  }
  const parent = await openParent(descriptor, options);
  opening.move();
  const extents: DiskExtent[] = opened.map(({ extent }) => extent);
  const grainSize = Math.max(...opened.map((each) => each.grainSize ?? 0)) || flatBlockSize;
  const information = vmdkInformation({ fileSize: file.size, size, descriptor, subformat: descriptor.createType });
  return new VmdkDevice({ descriptorFile: file, extents, parent, information, grainSize, name });
}

/** @throws VarveError `PERMISSION`, and `CORRUPT` for a parent that is another disk than the one it was made over */
async function openParent(
  descriptor: Descriptor | undefined,
  { informationOnly = false, name, openBacking }: OpenImageOptions,
): Promise<BlockDevice | undefined> {
  const wanted = descriptor?.parent;
  if (wanted === undefined || informationOnly) return undefined;
  if (openBacking === undefined) throw backingNotAllowed(name, wanted.fileName);
  const parent = await openBacking(wanted.fileName, 'vmdk');
  const found = (parent as Partial<FormatDevice>).information?.();
  if (found?.format !== 'vmdk' || found.contentId === contentIdText(wanted.contentId)) return parent;
  await parent[Symbol.asyncDispose]();
  const ids = `its CID is ${found.contentId ?? 'nowhere'}, and was ${contentIdText(wanted.contentId)} then`;
  throw corruptImage(name, `it builds on ${JSON.stringify(wanted.fileName)}, which was changed since: ${ids}`);
}
