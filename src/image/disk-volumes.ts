import type { BlockDevice } from '../block/block-device.ts';
import { findFileSystem } from '../filesystem/file-systems.ts';
import { hasGptMark } from '../partition/gpt-header.ts';
import type { Partition, PartitionTable } from '../partition/partition-table.ts';
import { readPartitionTable } from '../partition/read-partition-table.ts';

/** A place of a disk that may hold a file system; offset and length in bytes. */
export interface Volume {
  /** As a guest would see it: `/dev/sda1`, or `/dev/sda` for a disk without partitions. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** What the partition table says of it; undefined for a disk without one. */
  readonly partition?: Pick<Partition, 'id' | 'name' | 'number'> | undefined;
  /** The name of another one that it shares space with, which one of them cannot know of. */
  readonly overlaps?: string | undefined;
}

/** A disk's volumes, and what lies between them. */
export interface DiskVolumes {
  readonly volumes: readonly Volume[];
  /** The names of partitions that reach past the disk's end. */
  readonly cutOff: readonly string[];
  /** Where no partition is, from the end of the first one on; boot loaders live before it. */
  readonly gaps: readonly { readonly offset: number; readonly length: number }[];
}

/** Copies of GPTs are at a disk's end, and what other tables have of their own: dynamic disks, RAID controllers. */
const keptAtEnd = 1024 * 1024;

/**
 * The volumes of a disk. `name` is the disk's in errors.
 *
 * @throws VarveError `CORRUPT` for a partition table that cannot be read
 */
export async function diskVolumes(device: BlockDevice, name: string): Promise<DiskVolumes> {
  const whole = { name: '/dev/sda', offset: 0, length: device.size };
  if ((await findFileSystem(device)) !== undefined) return { volumes: [whole], cutOff: [], gaps: [] };
  const table = await readPartitionTable(device, { name });
  if (table === undefined) return { volumes: [whole], cutOff: [], gaps: [] };
  const isCutOff = ({ offset, length }: Partition) => offset + length > device.size;
  const volumes = table.partitions.filter((each) => each.kind !== 'extended' && !isCutOff(each));
  return {
    volumes: volumes.map((partition) => volumeOf(partition, table.partitions)),
    cutOff: table.partitions.filter(isCutOff).map(({ number }) => `/dev/sda${number}`),
    gaps: table.problems.length > 0 ? [] : gapsOf(table, await endOfLastGap(device, table)),
  };
}

/** Where what may be given back ends. The copy of a GPT of a disk that grew is somewhere behind the last partition. */
async function endOfLastGap(device: BlockDevice, { scheme, sectorSize, partitions }: PartitionTable): Promise<number> {
  const end = device.size - keptAtEnd;
  if (scheme === 'mbr') return end;
  const last = new Uint8Array(sectorSize);
  await device.read(last, Math.floor(device.size / sectorSize - 1) * sectorSize);
  return hasGptMark(last) ? end : Math.max(0, ...partitions.map(({ offset, length }) => offset + length));
}

function volumeOf(partition: Partition, all: readonly Partition[]): Volume {
  const { number, offset, length, kind } = partition;
  const end = offset + length;
  const other = all.find(
    (each) =>
      each.number !== number &&
      // An extended partition is there for the logical ones.
      !(each.kind === 'extended' && kind === 'logical') &&
      each.offset < end &&
      each.offset + each.length > offset,
  );
  return {
    ...{ name: `/dev/sda${number}`, offset, length, partition },
    ...(other !== undefined && { overlaps: `/dev/sda${other.number}` }),
  };
}

function gapsOf({ partitions }: PartitionTable, lastEnd: number): { offset: number; length: number }[] {
  const gaps: { offset: number; length: number }[] = [];
  // What is inside an extended partition has tables of its own between its logical ones.
  const taken = partitions.filter(({ kind }) => kind !== 'logical').toSorted((a, b) => a.offset - b.offset);
  let end = Number.POSITIVE_INFINITY;
  for (const { offset, length } of [...taken, { offset: lastEnd, length: 0 }]) {
    if (offset > end) gaps.push({ offset: end, length: offset - end });
    end = Math.max(end === Number.POSITIVE_INFINITY ? 0 : end, offset + length);
  }
  return gaps;
}
