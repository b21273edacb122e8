import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { AllocationTable } from './allocation-table.ts';
import { bootSectorLength, decodeBootSector, type FatLayout, looksLikeFat } from './boot-sector.ts';
import { readVolumeLabel, rootStretches } from './fat-directory.ts';
import { FatFileSystem } from './fat-file-system.ts';

/** FAT12, FAT16 and FAT32, with long names. */
export const fat: FileSystemDriver = {
  types: ['vfat'],
  async identify(device) {
    if (device.size < bootSectorLength) return undefined;
    const sector = new Uint8Array(bootSectorLength);
    await device.read(sector, 0);
    if (!looksLikeFat(sector)) return undefined;
    try {
      await using fileSystem = await openFat(device, { name: '' });
      return fileSystem.identity;
    } catch (error) {
      if (isVarveError(error, 'CORRUPT')) return undefined;
      throw error;
    }
  },
  open: openFat,
};

async function openFat(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const sector = new Uint8Array(bootSectorLength);
  await readInside(device, sector, 0, `${name}: FAT boot sector`);
  const layout = decodeBootSector(sector, name);
  const table = new AllocationTable(device, layout, name);
  const isClean = !layout.isInUse && (await table.isClean());
  const label = (await readVolumeLabel(device, rootStretches(layout, table, name))) ?? layout.label;
  return new FatFileSystem({ device, layout, table, isClean, name, identity: identityOf(layout, label) });
}

function identityOf(layout: FatLayout, label: string | undefined): FileSystemIdentity {
  const { width, volumeId, clusterSize, size } = layout;
  const number = volumeId?.toString(16).padStart(8, '0').toUpperCase();
  return {
    ...{ type: 'vfat', version: `FAT${width}`, blockSize: clusterSize, size },
    label: label === 'NO NAME' || label === '' ? undefined : label,
    uuid: number === undefined ? undefined : `${number.slice(0, 4)}-${number.slice(4)}`,
  };
}
