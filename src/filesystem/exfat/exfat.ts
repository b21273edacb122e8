import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import {
  bootSectorLength,
  decodeBootSector,
  type ExfatLayout,
  looksLikeExfat,
  regionFitsSum,
  regionLength,
} from './boot-region.ts';
import type { Allocation } from './cluster-chain.ts';
import { entryTypes, labelOf } from './entry-set.ts';
import { entriesOf } from './exfat-directory.ts';
import { ExfatFileSystem, type ExfatRoot, rootAllocation } from './exfat-file-system.ts';
import { ExfatVolume } from './exfat-volume.ts';

/** exFAT, also with two tables (TexFAT). */
export const exfat: FileSystemDriver = {
  types: ['exfat'],
  async identify(device) {
    if (device.size < bootSectorLength) return undefined;
    const sector = new Uint8Array(bootSectorLength);
    await device.read(sector, 0);
    if (!looksLikeExfat(sector)) return undefined;
    try {
      await using fileSystem = await openExfat(device, { name: '' });
      return fileSystem.identity;
    } catch (error) {
      if (isVarveError(error, 'CORRUPT')) return undefined;
      throw error;
    }
  },
  open: openExfat,
};

async function openExfat(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const layout = await readLayout(device, name);
  const volume = new ExfatVolume(device, layout, name);
  const { label, ...root } = await readRoot(volume);
  return new ExfatFileSystem(volume, identityOf(layout, label), root);
}

/** The boot region that counts: the first one, or the backup behind it where that is damaged. */
async function readLayout(device: BlockDevice, name: string): Promise<ExfatLayout> {
  const problems: string[] = [];
  for (const place of [0, ...[512, 1024, 2048, 4096].map(regionLength)]) {
    if (place + bootSectorLength > device.size) continue;
    const layout = await readRegion(device, place, name);
    if (typeof layout !== 'string') return layout;
    problems.push(layout);
  }
  throw new VarveError('CORRUPT', `cannot read ${name}: the exFAT boot region has ${problems[0] ?? 'too few bytes'}`);
}

async function readRegion(device: BlockDevice, place: number, name: string): Promise<ExfatLayout | string> {
  const sector = new Uint8Array(bootSectorLength);
  await readInside(device, sector, place, `${name}: exFAT boot sector`);
  const layout = decodeBootSector(sector);
  if (typeof layout === 'string') return layout;
  const { sectorSize } = layout;
  const region = new Uint8Array(regionLength(sectorSize));
  if (place % sectorSize !== 0 || place + region.length > device.size) return 'its end past that of the disk';
  await readInside(device, region, place, `${name}: exFAT boot region`);
  return regionFitsSum(region, sectorSize) ? layout : 'a checksum that does not fit';
}

async function readRoot(volume: ExfatVolume): Promise<ExfatRoot & { readonly label: string | undefined }> {
  let bitmap: Allocation | undefined;
  let upcaseTable: ExfatRoot['upcaseTable'] | undefined;
  let label: string | undefined;
  for await (const { bytes } of entriesOf(volume, rootAllocation(volume), 'the root directory')) {
    const entry = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isActive = (bytes[1]! & 1) === volume.layout.activeTable;
    if (bytes[0] === entryTypes.bitmap && isActive) bitmap ??= allocationIn(entry);
    if (bytes[0] === entryTypes.upcaseTable) {
      upcaseTable ??= { ...allocationIn(entry), checksum: entry.getUint32(4, true) };
    }
    if (bytes[0] === entryTypes.label) label ??= labelOf(bytes);
    if (bitmap !== undefined && upcaseTable !== undefined && label !== undefined) break;
  }
  if (bitmap === undefined) throw volume.corrupt('the root directory has no allocation bitmap');
  if (upcaseTable === undefined) throw volume.corrupt('the root directory has no up-case table');
  return { bitmap, upcaseTable, label };
}

function allocationIn(entry: DataView): Allocation {
  const length = Math.min(Number(entry.getBigUint64(24, true)), Number.MAX_SAFE_INTEGER);
  return { firstCluster: entry.getUint32(20, true), length, isContiguous: false };
}

function identityOf(layout: ExfatLayout, label: string | undefined): FileSystemIdentity {
  const { serialNumber, revision, clusterSize, size } = layout;
  const number = serialNumber.toString(16).padStart(8, '0').toUpperCase();
  return {
    ...{ type: 'exfat', version: revision, blockSize: clusterSize, size },
    label: label === '' ? undefined : label,
    uuid: `${number.slice(0, 4)}-${number.slice(4)}`,
  };
}
