import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { alignDown } from '../../bytes/align.ts';
import { type MappedRun, mappedDevice } from '../mapped-device.ts';
import type { MdSuperblock } from './superblock.ts';

/** A device that has a superblock of md's. */
export interface MdMember {
  /** What messages call it: `/dev/sda2`. */
  readonly name: string;
  readonly device: BlockDevice;
  readonly superblock: MdSuperblock;
}

/** An array of which at least one member is here. */
export interface MdArray {
  /** `/dev/md0`, `/dev/md/data` */
  readonly name: string;
  readonly aliases: readonly string[];
  /** To be read; it needs the members' devices. */
  readonly device?: BlockDevice;
  /** Why it cannot be read, where it has no device. */
  readonly problem?: VarveError;
  /** The names of its members that are here. */
  readonly members: readonly string[];
}

const linear = -1;
const mostDisks = 4096;

/** The arrays that members make, in the order of their first members. Nothing of it fails for what is on the disk. */
export function assembleArrays(members: readonly MdMember[]): MdArray[] {
  const arrays = Map.groupBy(members, ({ superblock }) => superblock.uuid);
  return [...arrays.values()].map((each) => {
    const [first] = each;
    const names = { ...namesOf(first!.superblock), members: each.map(({ name }) => name) };
    try {
      return { ...names, device: assemble(each, names.name) };
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      return { ...names, problem: error };
    }
  });
}

function namesOf({ minor, name, uuid }: MdSuperblock): Pick<MdArray, 'name' | 'aliases'> {
  const byId = `/dev/disk/by-id/md-uuid-${uuid.replaceAll('-', '').replace(/(.{8})(?=.)/g, '$1:')}`;
  if (minor !== undefined) return { name: `/dev/md${minor}`, aliases: [byId] };
  // Before the colon stands the machine that made it.
  const own = name?.replace(/^[^:]*:/, '') ?? '';
  if (/^\d{1,6}$/.test(own)) return { name: `/dev/md${own}`, aliases: [`/dev/md/${own}`, byId] };
  if (/^[\w+.-]+$/.test(own) && !/^\.{1,2}$/.test(own)) return { name: `/dev/md/${own}`, aliases: [byId] };
  // As mdadm does where there is no name: the highest number that is free.
  return { name: '/dev/md127', aliases: [byId] };
}

function assemble(members: readonly MdMember[], name: string): BlockDevice {
  // Who missed changes is as if it were not there; the last change alone may not have reached all.
  const newest = Math.max(...members.map(({ superblock }) => superblock.events));
  const current = members
    .filter(({ superblock }) => superblock.events + 1 >= newest)
    .toSorted((a, b) => b.superblock.events - a.superblock.events);
  const { level } = current[0]!.superblock;
  if (level === 1) return mirror(current, name);
  if (level === 0 || level === linear) return joined(current, name);
  const kind = level === -4 ? 'multipath' : `RAID ${level}`;
  throw new VarveError('UNSUPPORTED', `cannot read ${name}: it is ${kind}; RAID 0 and 1 and linear are known`);
}

/** Each member has it all. */
function mirror(members: readonly MdMember[], name: string): BlockDevice {
  const member = members.find(({ superblock }) => superblock.role !== undefined && !superblock.isRebuilding);
  if (member === undefined) throw new VarveError('NOT_FOUND', `cannot read ${name}: no member that is whole is here`);
  const { dataLength, dataOffset, usedLength = dataLength } = member.superblock;
  const areas = [{ device: member.device, offset: dataOffset }];
  return mappedDevice([{ length: Math.min(usedLength, dataLength), areas }], name);
}

/** Members one behind the other, or in turns: all of them have to be here. */
function joined(members: readonly MdMember[], name: string): BlockDevice {
  const { chunkLength, diskCount, level } = members[0]!.superblock;
  const corrupt = (why: string): VarveError => new VarveError('CORRUPT', `cannot read ${name}: ${why}`);
  if (diskCount === 0 || diskCount > mostDisks) throw corrupt(`its superblock counts ${diskCount} members`);
  const inOrder = Array.from({ length: diskCount }, (_, role) =>
    members.find(({ superblock }) => superblock.role === role),
  ).filter((each) => each !== undefined);
  if (inOrder.length < diskCount) {
    const count = `${inOrder.length} of its ${diskCount} members`;
    throw new VarveError('NOT_FOUND', `cannot read ${name}: ${count} are on this disk, and all are needed`);
  }
  if (inOrder.some(({ superblock }) => superblock.isRebuilding)) {
    throw new VarveError('UNSUPPORTED', `cannot read ${name}: its members are being rearranged`);
  }
  const areas = inOrder.map(({ device, superblock }) => ({ device, offset: superblock.dataOffset }));
  if (chunkLength % 512 !== 0 || (chunkLength === 0 && level === 0))
    throw corrupt(`its chunks have ${chunkLength} bytes`);
  const lengths = inOrder.map(({ superblock: { dataLength } }) =>
    chunkLength === 0 ? dataLength : alignDown(dataLength, chunkLength),
  );
  if (level === linear) {
    const runs: MappedRun[] = areas.map((area, index) => ({ length: lengths[index]!, areas: [area] }));
    return mappedDevice(runs, name);
  }
  if (new Set(lengths).size > 1) {
    throw new VarveError('UNSUPPORTED', `cannot read ${name}: it is a RAID 0 of members that differ in length`);
  }
  return mappedDevice([{ length: lengths[0]! * diskCount, areas, stripeLength: chunkLength }], name);
}
