import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DeviceRange } from '../../filesystem/file-system.ts';
import { openFileSystem } from '../../filesystem/file-systems.ts';
import { findSwapSpace } from '../../filesystem/swap/swap-space.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { type ContainerKind, containerKind } from '../../volume/container-kind.ts';
import { diskVolumes, type Volume } from '../disk-volumes.ts';

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
  if (!options.ignoreMissing) refuseUnknown(ignore, volumes, name);
  const found: UnusedRanges[] = [];
  for (const volume of volumes) {
    if (!ignore.includes(volume.name)) found.push(await unusedIn(device, volume, name));
  }
  for (const volume of cutOff) found.push({ kind: 'left', volume, reason: 'reaches past the end of the disk' });
  if (withGaps && gaps.length > 0) found.push({ kind: 'gap', ranges: gaps });
  return found;
}

function refuseUnknown(ignore: readonly string[], volumes: readonly Volume[], name: string): void {
  const unknown = ignore.find((each) => !volumes.some((volume) => volume.name === each));
  if (unknown === undefined) return;
  const known = volumes.map((volume) => volume.name).join(', ');
  throw new VarveError('NOT_FOUND', `${name} has no ${unknown} to be ignored; it has ${known}`);
}

const containerWords: Readonly<Record<ContainerKind, string>> = {
  crypto_LUKS: 'encrypted with LUKS',
  LVM2_member: 'a physical volume of LVM',
  linux_raid_member: 'a member of a Linux RAID',
};

async function unusedIn(device: BlockDevice, volume: Volume, name: string): Promise<UnusedRanges> {
  const left = (reason: string): UnusedRanges => ({ kind: 'left', volume: volume.name, reason });
  if (volume.overlaps !== undefined) return left(`shares space with ${volume.overlaps}`);
  const slice = sliceFilter(device, volume);
  const container = await containerKind(slice);
  if (container !== undefined) return left(`is ${containerWords[container]}`);
  const swap = await findSwapSpace(slice);
  if (swap !== undefined) {
    const length = Math.max(0, Math.min(swap.size, volume.length) - swap.pageSize);
    return { kind: 'swap', volume: volume.name, ranges: [{ offset: volume.offset + swap.pageSize, length }] };
  }
  try {
    return await freeIn(slice, volume, name);
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
    return left(error.code === 'CORRUPT' ? `is damaged: ${error.message}` : 'holds no file system that is known here');
  }
}

/** All ranges are read before any is used: a bitmap that is found to be damaged may be that of the last block group. */
async function freeIn(slice: BlockDevice, volume: Volume, name: string): Promise<UnusedRanges> {
  const left = (reason: string): UnusedRanges => ({ kind: 'left', volume: volume.name, reason });
  await using fileSystem = await openFileSystem(slice, { name: `${name}, ${volume.name}` });
  const { size, type } = fileSystem.identity;
  if (size > volume.length) return left(`holds a file system (${type}) that is longer than it is`);
  if (!fileSystem.isClean)
    return left(`holds a file system (${type}) that was not unmounted, or has errors; check it first`);
  const ranges: DeviceRange[] = [];
  for await (const { offset, length } of fileSystem.freeRanges())
    ranges.push({ offset: volume.offset + offset, length });
  return { kind: 'free', volume: volume.name, ranges };
}
