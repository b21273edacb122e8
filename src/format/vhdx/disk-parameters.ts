import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage } from '../image-errors.ts';
import {
  decodeMetadataTable,
  type MetadataContent,
  type MetadataEntry,
  metadataFlag,
  metadataItem,
  metadataTableLength,
} from './metadata.ts';
import type { Region } from './region-table.ts';

/** What the metadata of a VHDX says of its disk; sizes in bytes. */
export interface DiskParameters {
  readonly blockSize: number;
  readonly leavesBlocksAllocated: boolean;
  readonly hasParent: boolean;
  readonly size: number;
  readonly diskId: Guid | undefined;
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
}

/** The metadata as it was read. */
export interface ReadMetadata {
  readonly parameters: DiskParameters;
  /** The bytes of the parent locator, where there is one. */
  readonly parentLocator: Uint8Array | undefined;
}

const smallestBlockSize = 2 ** 20;
const largestBlockSize = 256 * 2 ** 20;
const largestSize = 64 * 2 ** 40;

/**
 * Reads the metadata region of a file.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a required item that is not known here
 */
export async function readMetadata(file: BlockDevice, region: Region, name: string): Promise<ReadMetadata> {
  const table = new Uint8Array(metadataTableLength);
  await file.read(table, region.offset);
  const entries = decodeMetadataTable(table, region.length, name);
  const read = async (entry: MetadataEntry): Promise<Uint8Array> => {
    const bytes = new Uint8Array(entry.length);
    if (entry.length > 0) await file.read(bytes, region.offset + entry.offset);
    return bytes;
  };
  const item = async (what: keyof typeof metadataItem): Promise<ByteReader> => {
    const entry = entries.get(metadataItem[what]);
    if (entry === undefined) throw corruptImage(name, `its metadata has no item ${what}, ${metadataItem[what]}`);
    return new ByteReader(await read(entry), `metadata item ${what} of ${name}`);
  };
  const fileParameters = await item('fileParameters');
  const blockSize = fileParameters.u32le();
  const flags = fileParameters.u32le();
  const size = (await item('virtualDiskSize')).u64le('VirtualDiskSize');
  const logicalSectorSize = (await item('logicalSectorSize')).u32le();
  const physicalSectorSize = entries.has(metadataItem.physicalSectorSize)
    ? (await item('physicalSectorSize')).u32le()
    : logicalSectorSize;
  const diskId = entries.has(metadataItem.virtualDiskId)
    ? decodeGuid((await item('virtualDiskId')).bytes(16))
    : undefined;
  const parameters: DiskParameters = {
    ...{ blockSize, size, diskId, logicalSectorSize, physicalSectorSize },
    leavesBlocksAllocated: (flags & 1) === 1,
    hasParent: (flags & 2) === 2,
  };
  checkParameters(parameters, name);
  const locator = entries.get(metadataItem.parentLocator);
  return { parameters, parentLocator: locator === undefined ? undefined : await read(locator) };
}

function checkParameters({ blockSize, logicalSectorSize, size }: DiskParameters, name: string): void {
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= smallestBlockSize && blockSize <= largestBlockSize)) {
    throw corruptImage(name, `BlockSize is ${blockSize}, and must be a power of two from 1 MiB to 256 MiB`);
  }
  if (logicalSectorSize !== 512 && logicalSectorSize !== 4096) {
    throw corruptImage(name, `its Logical Sector Size is ${logicalSectorSize}, and may be 512 or 4096`);
  }
  if (size > largestSize || size % logicalSectorSize !== 0) {
    throw corruptImage(name, `its Virtual Disk Size is ${size}, and may be whole sectors up to 64 TiB`);
  }
}

/** The items of a new disk that builds on no other. */
export function metadataItems(parameters: DiskParameters): MetadataContent[] {
  const { isRequired, isVirtualDisk } = metadataFlag;
  const { blockSize, diskId, hasParent, leavesBlocksAllocated, logicalSectorSize, physicalSectorSize, size } =
    parameters;
  const fileParameters = new ByteWriter(8);
  fileParameters.u32le(blockSize);
  fileParameters.u32le((leavesBlocksAllocated ? 1 : 0) + (hasParent ? 2 : 0));
  const disk = isRequired | isVirtualDisk;
  return [
    { item: metadataItem.fileParameters, flags: isRequired, content: fileParameters.bytes },
    { item: metadataItem.virtualDiskSize, flags: disk, content: number64(size) },
    ...(diskId === undefined ? [] : [{ item: metadataItem.virtualDiskId, flags: disk, content: encodeGuid(diskId) }]),
    { item: metadataItem.logicalSectorSize, flags: disk, content: number32(logicalSectorSize) },
    { item: metadataItem.physicalSectorSize, flags: disk, content: number32(physicalSectorSize) },
  ];
}

function number32(value: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32le(value);
  return writer.bytes;
}

function number64(value: number): Uint8Array {
  const writer = new ByteWriter(8);
  writer.u64le(value);
  return writer.bytes;
}
