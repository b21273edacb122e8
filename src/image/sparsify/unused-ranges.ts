import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DeviceRange } from '../../filesystem/file-system.ts';
import { openFileSystem } from '../../filesystem/file-systems.ts';
import { findSwapSpace } from '../../filesystem/swap/swap-space.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { type ContainerKind, containerKind } from '../../volume/container-kind.ts';
import { diskVolumes, type Volume } from '../disk-volumes.ts';
import { groupsOnDisk, type VolumeOfGroup } from './groups-on-disk.ts';

/** What of a disk nobody needs, volume by volume; ranges are bytes of the disk. */
export type UnusedRanges =
  | { readonly kind: 'free'; readonly volume: string; readonly ranges: readonly DeviceRange[] }
  | { readonly kind: 'swap'; readonly volume: string; readonly ranges: readonly DeviceRange[] }
  | { readonly kind: 'gap'; readonly ranges: readonly DeviceRange[] }
  /** What is not touched, and why, in words that go on after its name. */
  | { readonly kind: 'left'; readonly volume: string; readonly reason: string };

/** What is looked at. */
export interface FindUnusedOptions {
  /** What errors call the disk. */
  readonly name: string;
  /** Volumes that are left as they are: `/dev/sda2`. */
  readonly ignore?: readonly string[] | undefined;
  /** Whether a volume to be ignored may be missing. */
  readonly ignoreMissing?: boolean | undefined;
  /** Takes what lies between partitions, too. */
  readonly gaps?: boolean | undefined;
}

/**
 * The ranges of a disk that its file systems call free, and the content of its swap spaces. A file system that was not
 * unmounted, contradicts itself or is not known here is left alone.
 *
 * @throws VarveError `NOT_FOUND` for a volume to be ignored that is not there, `CORRUPT` for the partition table
 */
export async function findUnused(device: BlockDevice, options: FindUnusedOptions): Promise<UnusedRanges[]> {
  const { name, ignore = [], gaps: withGaps = false } = options;
  const { volumes, cutOff, gaps } = await diskVolumes(device, name);
  const groups = await groupsOnDisk(device, volumes, ignore);
  if (!options.ignoreMissing) refuseUnknown(ignore, [...volumes.map((volume) => volume.name), ...groups.names], name);
  const found: UnusedRanges[] = [];
  for (const volume of volumes) {
    const isLeft = ignore.includes(volume.name) || groups.members.has(volume.name);
    if (!isLeft) found.push(await unusedIn(device, volume, name));
  }
  for (const volume of groups.volumes) {
    if (!ignore.includes(volume.name)) found.push(await unusedInGroup(volume, name));
  }
  for (const volume of cutOff) found.push({ kind: 'left', volume, reason: 'reaches past the end of the disk' });
  if (withGaps && gaps.length > 0) found.push({ kind: 'gap', ranges: gaps });
  return found;
}

function refuseUnknown(ignore: readonly string[], known: readonly string[], name: string): void {
  const unknown = ignore.find((each) => !known.includes(each));
  if (unknown === undefined) return;
  throw new VarveError('NOT_FOUND', `${name} has no ${unknown} to be ignored; it has ${known.join(', ')}`);
}

const containerWords: Readonly<Record<ContainerKind, string>> = {
  crypto_LUKS: 'encrypted with LUKS',
  LVM2_member: 'a physical volume of LVM',
  linux_raid_member: 'a member of a Linux RAID',
};

async function unusedIn(device: BlockDevice, volume: Volume, name: string): Promise<UnusedRanges> {
  if (volume.overlaps !== undefined) {
    return { kind: 'left', volume: volume.name, reason: `shares space with ${volume.overlaps}` };
  }
  const found = await unusedOn(sliceFilter(device, volume), volume.name, name);
  if (found.kind === 'left') return found;
  return { ...found, ranges: found.ranges.map(({ offset, length }) => ({ offset: volume.offset + offset, length })) };
}

async function unusedInGroup(volume: VolumeOfGroup, name: string): Promise<UnusedRanges> {
  if ('reason' in volume) return { kind: 'left', volume: volume.name, reason: volume.reason };
  if ('ranges' in volume) return { kind: 'free', volume: volume.name, ranges: volume.ranges };
  const found = await unusedOn(volume.device, volume.name, name);
  return found.kind === 'left' ? found : { ...found, ranges: found.ranges.flatMap(volume.placesOnDisk) };
}

/** What is unused on a volume; ranges are bytes of it. */
async function unusedOn(
  device: BlockDevice,
  volume: string,
  name: string,
): Promise<Exclude<UnusedRanges, { kind: 'gap' }>> {
  const container = await containerKind(device);
  if (container !== undefined) return { kind: 'left', volume, reason: `is ${containerWords[container]}` };
  const swap = await findSwapSpace(device);
  if (swap !== undefined) {
    const length = Math.max(0, Math.min(swap.size, device.size) - swap.pageSize);
    return { kind: 'swap', volume, ranges: [{ offset: swap.pageSize, length }] };
  }
  try {
    return await freeOn(device, volume, name);
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
    const isDamaged = error.code === 'CORRUPT';
    const reason = isDamaged ? `is damaged: ${error.message}` : 'holds no file system that is known here';
    return { kind: 'left', volume, reason };
  }
}

/** All ranges are read before any is used: a bitmap that is found to be damaged may be that of the last block group. */
async function freeOn(
  device: BlockDevice,
  volume: string,
  name: string,
): Promise<Exclude<UnusedRanges, { kind: 'gap' }>> {
  await using fileSystem = await openFileSystem(device, { name: `${name}, ${volume}` });
  const { size, type } = fileSystem.identity;
  if (size > device.size) {
    return { kind: 'left', volume, reason: `holds a file system (${type}) that is longer than it is` };
  }
  if (!fileSystem.isClean) {
    const reason = `holds a file system (${type}) that was not unmounted, or has errors; check it first`;
    return { kind: 'left', volume, reason };
  }
  const ranges: DeviceRange[] = [];
  for await (const { length, offset } of fileSystem.freeRanges()) ranges.push({ offset, length });
  return { kind: 'free', volume, ranges };
}
