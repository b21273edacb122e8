import { isVarveError, type VarveError } from '../../base/varve-error.ts';
import type { PhysicalVolume } from './physical-volume.ts';
import { decodeVolumeGroup, type VolumeGroup } from './volume-group.ts';

/** What the metadata of a physical volume says, each of its texts that is one; `onProblem` is called for the others. */
export function groupStates({ metadata }: PhysicalVolume, onProblem: (problem: VarveError) => void): VolumeGroup[] {
  return metadata.flatMap((found) => {
    try {
      return [decodeVolumeGroup(found)];
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      onProblem(error);
      return [];
    }
  });
}

/** Of each group the newest state that any of its members knows. `onProblem` is called for texts that are none. */
export function newestGroups(
  members: readonly PhysicalVolume[],
  onProblem: (member: PhysicalVolume, problem: VarveError) => void,
): VolumeGroup[] {
  const newest = new Map<string, VolumeGroup>();
  for (const member of members) {
    for (const group of groupStates(member, (problem) => onProblem(member, problem))) {
      if ((newest.get(group.id)?.seqno ?? -1) < group.seqno) newest.set(group.id, group);
    }
  }
  return [...newest.values()];
}
