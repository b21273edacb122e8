import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { bootSectorLength, decodeBootSector, looksLikeNtfs, type NtfsLayout } from './boot-sector.ts';
import { NtfsFileSystem } from './ntfs-file-system.ts';
import { NtfsVolume } from './ntfs-volume.ts';
import { readVolumeState, type VolumeState, wasUnmounted } from './volume-state.ts';

/** NTFS, as Windows has it since 2000. */
export const ntfs: FileSystemDriver = {
  types: ['ntfs'],
  async identify(device) {
    if (device.size < bootSectorLength) return undefined;
    const sector = new Uint8Array(bootSectorLength);
    await device.read(sector, 0);
    if (!looksLikeNtfs(sector)) return undefined;
    try {
      const volume = await openVolume(device, '');
      return identityOf(volume, await readVolumeState(volume));
    } catch (error) {
      if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
      throw error;
    }
  },
  open: openNtfs,
};

async function openNtfs(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const volume = await openVolume(device, name);
  const state = await readVolumeState(volume);
  const isClean = !state.isDirty && (await wasUnmounted(volume));
  return new NtfsFileSystem(volume, identityOf(volume, state), isClean);
}

async function openVolume(device: BlockDevice, name: string): Promise<NtfsVolume> {
  return await NtfsVolume.open(device, await readLayout(device, name), name);
}

/** What the boot sector says, or its copy in the last sector of the device where that is damaged. */
async function readLayout(device: BlockDevice, name: string): Promise<NtfsLayout> {
  const sector = new Uint8Array(bootSectorLength);
  await readInside(device, sector, 0, `${name}: NTFS boot sector`);
  const layout = decodeBootSector(sector);
  if (typeof layout !== 'string') return layout;
  for (const sectorSize of [512, 1024, 2048, 4096]) {
    await readInside(
      device,
      sector,
      Math.floor(device.size / 512) * 512 - sectorSize,
      `${name}: copy of the boot sector`,
    );
    const copy = decodeBootSector(sector);
    if (typeof copy !== 'string') return copy;
  }
  throw new VarveError('CORRUPT', `cannot read ${name}: the NTFS boot sector has ${layout}`);
}

function identityOf({ layout, device }: NtfsVolume, { label, version }: VolumeState): FileSystemIdentity {
  const { size, sectorSize, clusterSize, serialNumber: uuid } = layout;
  // The copy of the boot sector is not counted in.
  const withCopy = size + sectorSize;
  return {
    type: 'ntfs',
    version,
    label,
    uuid,
    blockSize: clusterSize,
    size: withCopy <= device.size ? withCopy : size,
  };
}
