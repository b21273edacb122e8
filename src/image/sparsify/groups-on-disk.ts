import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { DeviceRange } from '../../filesystem/file-system.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { containerKind } from '../../volume/container-kind.ts';
import { type PhysicalVolume, readPhysicalVolume } from '../../volume/lvm2/physical-volume.ts';
import { wholeGroups } from '../../volume/lvm2/whole-groups.ts';
import type { MappedDevice } from '../../volume/mapped-device.ts';
import type { Volume } from '../disk-volumes.ts';

/** A volume of a group: its content; what is free of the group itself, in bytes of the disk; or why it is left alone. */
export type VolumeOfGroup = { readonly name: string } & (
  | { readonly device: BlockDevice; placesOnDisk(range: DeviceRange): DeviceRange[] }
  | { readonly ranges: readonly DeviceRange[] }
  | { readonly reason: string }
);

/** The volume groups of a disk of which nothing is missing. */
export interface GroupsOnDisk {
  /** The names of the partitions that they are on. */
  readonly members: ReadonlySet<string>;
  readonly volumes: readonly VolumeOfGroup[];
  /** Of all of the volumes, and of the groups for what is free of them. */
  readonly names: readonly string[];
}

/** The groups on some volumes of a disk; those that use one of `ignore` are as if something of them were missing. */
export async function groupsOnDisk(
  device: BlockDevice,
  volumes: readonly Volume[],
  ignore: readonly string[],
): Promise<GroupsOnDisk> {
  const places = new Map<BlockDevice, number>();
  const members: PhysicalVolume[] = [];
  for (const volume of volumes) {
    if (volume.overlaps !== undefined || ignore.includes(volume.name)) continue;
    const part = sliceFilter(device, volume);
    const member = await memberOn(part, volume.name);
    if (member === undefined) continue;
    members.push(member);
    places.set(part, volume.offset);
  }
  const groups = await wholeGroups(members);
  const found = groups.flatMap(({ free, name, others, plain }): VolumeOfGroup[] => [
    ...plain.map((each) => ({ ...each, placesOnDisk: (range: DeviceRange) => placesOf(each.device, range, places) })),
    ...others.map((each) => ({ name: each, reason: 'is mirrored, thin, cached or has snapshots' })),
    { name, ranges: free.map((each) => ({ offset: places.get(each.device)! + each.offset, length: each.length })) },
  ]);
  const used = new Set(groups.flatMap((group) => group.members));
  return { members: used, volumes: found, names: found.map(({ name }) => name) };
}

async function memberOn(part: BlockDevice, name: string): Promise<PhysicalVolume | undefined> {
  if ((await containerKind(part)) !== 'LVM2_member') return undefined;
  try {
    return await readPhysicalVolume(part, name);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

function placesOf(
  device: MappedDevice,
  { length, offset }: DeviceRange,
  places: ReadonlyMap<BlockDevice, number>,
): DeviceRange[] {
  return Array.from(device.pieces(offset, length), (piece) => ({
    offset: places.get(piece.place!.device)! + piece.place!.offset,
    length: piece.length,
  }));
}
