import { isVarveError, type VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { newestGroups } from './group-states.ts';
import { LogicalVolumes } from './logical-volumes.ts';
import type { PhysicalVolume } from './physical-volume.ts';
import type { LogicalVolumeRecord, VolumeGroup } from './volume-group.ts';

/** A logical volume that its group shows. */
export interface LogicalVolume {
  /** `/dev/vg/root` */
  readonly name: string;
  /** What else its system calls it: `/dev/mapper/vg-root`. */
  readonly aliases: readonly string[];
  /** In bytes. */
  readonly length: number;
  /** To be read; it needs the physical volumes' devices. */
  readonly device?: BlockDevice;
  /** Why it cannot be read, where it has no device. */
  readonly problem?: VarveError;
  /** The names of the physical volumes of its group that are here. */
  readonly members: readonly string[];
}

/** What physical volumes make together. */
export interface AssembledGroups {
  readonly volumes: readonly LogicalVolume[];
  /** What is wrong with metadata, by the names of the physical volumes that have it. */
  readonly problems: ReadonlyMap<string, VarveError>;
}

/** Kinds of logical volumes that hold no file system themselves, and are shown all the same. */
const inner = new Set(['thin-pool', 'cache-pool', 'vdo-pool', 'snapshot']);

/**
 * The logical volumes of the groups that physical volumes are in. What is on those that are missing is named, and cannot
 * be read. Nothing of it fails for what is on the disk.
 */
export async function assembleGroups(members: readonly PhysicalVolume[]): Promise<AssembledGroups> {
  const problems = new Map(members.flatMap(({ name, problems: [first] }) => (first ? [[name, first] as const] : [])));
  const volumes: LogicalVolume[] = [];
  const groups = newestGroups(members, ({ name }, problem) => problems.set(name, problem));
  for (const group of groups) {
    const logical = new LogicalVolumes(group, members);
    const origins = originsOf(group);
    const ids = new Set([...group.physicalVolumes.values()].map(({ id }) => id));
    const names = members.filter(({ id }) => ids.has(id)).map(({ name }) => name);
    for (const volume of group.logicalVolumes.values()) {
      const isShown = volume.isVisible || origins.has(volume.name);
      if (!isShown || volume.segments.some(({ type }) => inner.has(type))) continue;
      volumes.push({ ...(await openVolume(group, volume, logical, origins.get(volume.name))), members: names });
    }
  }
  return { volumes, problems };
}

/** The volumes that hold what changed since a snapshot, and what that is of. */
function originsOf(group: VolumeGroup): ReadonlyMap<string, string> {
  const segments = [...group.logicalVolumes.values()].flatMap((volume) => volume.segments);
  const origins = new Map<string, string>();
  for (const { section, type } of segments) {
    const [changes, origin] = [section.values.get('cow_store'), section.values.get('origin')];
    if (type === 'snapshot' && typeof changes === 'string' && typeof origin === 'string') origins.set(changes, origin);
  }
  return origins;
}

async function openVolume(
  group: VolumeGroup,
  volume: LogicalVolumeRecord,
  logical: LogicalVolumes,
  origin: string | undefined,
): Promise<Omit<LogicalVolume, 'members'>> {
  const mapper = `${escaped(group.name)}-${escaped(volume.name)}`;
  const length = volume.segments.reduce((sum, { extentCount }) => sum + extentCount, 0) * group.extentLength;
  const described = {
    ...{ name: `/dev/${group.name}/${volume.name}`, length },
    aliases: [`/dev/mapper/${mapper}`, `/dev/disk/by-id/dm-name-${mapper}`],
  };
  try {
    const { name } = volume;
    const device = origin === undefined ? await logical.device(name) : await logical.snapshot(name, origin);
    return { ...described, length: device.size, device };
  } catch (error) {
    if (!isVarveError(error)) throw error;
    return { ...described, problem: error };
  }
}

/** Of dashes, two are one in a name of the device mapper. Source: lvm(8), "VALID NAMES". */
function escaped(name: string): string {
  return name.replaceAll('-', '--');
}
