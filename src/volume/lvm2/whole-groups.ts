import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { MappedDevice } from '../mapped-device.ts';
import { groupStates, newestGroups } from './group-states.ts';
import { LogicalVolumes } from './logical-volumes.ts';
import type { PhysicalVolume } from './physical-volume.ts';
import { usedExtents } from './used-extents.ts';
import type { LogicalVolumeRecord, VolumeGroup } from './volume-group.ts';

/** A range of a device, in bytes. */
export interface PlaceOnDevice {
  readonly device: BlockDevice;
  readonly offset: number;
  readonly length: number;
}

/** A volume group of which nothing is missing or in doubt: what is free in it is free indeed. */
export interface WholeGroup {
  /** `/dev/vg` */
  readonly name: string;
  /** The names of its physical volumes. */
  readonly members: readonly string[];
  /** The volumes whose bytes are theirs alone, and stand as they are on physical volumes. */
  readonly plain: readonly { readonly name: string; readonly device: MappedDevice }[];
  /** The others that people see: mirrored, thin, with snapshots. */
  readonly others: readonly string[];
  /** What belongs to no volume. */
  readonly free: readonly PlaceOnDevice[];
}

/**
 * The groups that are whole: all their physical volumes are among `members`, know the same state, and no two volumes share
 * an extent. Groups of which anything is in doubt are left out.
 */
export async function wholeGroups(members: readonly PhysicalVolume[]): Promise<WholeGroup[]> {
  const groups: WholeGroup[] = [];
  for (const group of newestGroups(members, () => {})) {
    try {
      const whole = await wholeGroup(group, members);
      if (whole !== undefined) groups.push(whole);
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'NOT_FOUND', 'UNSUPPORTED')) throw error;
    }
  }
  return groups;
}

async function wholeGroup(group: VolumeGroup, members: readonly PhysicalVolume[]): Promise<WholeGroup | undefined> {
  const own = new Map<string, PhysicalVolume>();
  for (const [key, { id }] of group.physicalVolumes) {
    const [member, other] = members.filter((each) => each.id === id);
    if (member === undefined || other !== undefined || !knowsState(member, group)) return undefined;
    own.set(key, member);
  }
  const used = usedExtents(group);
  if (used === undefined) return undefined;
  const logical = new LogicalVolumes(group, members);
  const parts = namesInSegments(group);
  const plain: { name: string; device: MappedDevice }[] = [];
  const others: string[] = [];
  for (const volume of group.logicalVolumes.values()) {
    const name = `/dev/${group.name}/${volume.name}`;
    const device = isPlain(volume) && !parts.has(volume.name) ? await logical.device(volume.name) : undefined;
    if (device instanceof MappedDevice) plain.push({ name, device });
    else if (volume.isVisible) others.push(name);
  }
  const free = [...own].flatMap(([key, { device }]) => freePlaces(device, group, key, used.get(key)!));
  return { name: `/dev/${group.name}`, members: [...own.values()].map(({ name }) => name), plain, others, free };
}

/** Whether all metadata of a physical volume is that of the group as it is now. */
function knowsState(member: PhysicalVolume, group: VolumeGroup): boolean {
  let isSound = member.problems.length === 0;
  const states = groupStates(member, () => {
    isSound = false;
  });
  return isSound && states.every(({ id, seqno }) => id === group.id && seqno === group.seqno);
}

function isPlain({ isVisible, segments }: LogicalVolumeRecord): boolean {
  return isVisible && segments.every(({ type }) => type === 'striped' || type === 'linear');
}

/** The volumes that others are made of, or are snapshots of. */
function namesInSegments({ logicalVolumes }: VolumeGroup): ReadonlySet<number | string> {
  const segments = [...logicalVolumes.values()].flatMap((volume) => volume.segments);
  return new Set(
    segments.flatMap(({ section }) => [...section.values].flatMap(([key, value]) => (key === 'type' ? [] : value))),
  );
}

function freePlaces(device: BlockDevice, group: VolumeGroup, key: string, used: IntervalSet): PlaceOnDevice[] {
  const { extentCount, start } = group.physicalVolumes.get(key)!;
  const { extentLength } = group;
  if (start + extentCount * extentLength > device.size) return [];
  const free = new IntervalSet(extentCount === 0 ? [] : [{ offset: 0, end: extentCount }]);
  for (const { end, offset } of used) free.remove(offset, end);
  return Array.from(free, ({ end, offset }) => ({
    ...{ device, offset: start + offset * extentLength, length: (end - offset) * extentLength },
  }));
}
