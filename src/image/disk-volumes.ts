import type { BlockDevice } from '../block/block-device.ts';
import { findFileSystem } from '../filesystem/file-systems.ts';
import type { Partition, PartitionTable } from '../partition/partition-table.ts';
import { readPartitionTable } from '../partition/read-partition-table.ts';

/** A place of a disk that may hold a file system; offset and length in bytes. */
export interface Volume {
  /** As a guest would see it: `/dev/sda1`, or `/dev/sda` for a disk without partitions. */
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** The name of another one that it shares space with, which one of them cannot know of. */
  readonly overlaps?: string | undefined;
}

/** A disk's volumes, and what lies between them. */
export interface DiskVolumes {
  readonly volumes: readonly Volume[];
  /** Where no partition is, from the end of the first one on; boot loaders live before it. */
  readonly gaps: readonly { readonly offset: number; readonly length: number }[];
}

/** The copy of a GPT at a disk's end: a header and 128 entries of 128 bytes, and a sector more. */
const tableSectorsAtEnd = 34;

/**
 * The volumes of a disk. `name` is the disk's in errors.
 *
 * @throws VarveError `CORRUPT` for a partition table that cannot be read
 */
export async function diskVolumes(device: BlockDevice, name: string): Promise<DiskVolumes> {
  const whole = { name: '/dev/sda', offset: 0, length: device.size };
  if ((await findFileSystem(device)) !== undefined) return { volumes: [whole], gaps: [] };
  const table = await readPartitionTable(device, { name });
  if (table === undefined) return { volumes: [whole], gaps: [] };
  const inside = table.partitions.filter(({ offset, length }) => offset + length <= device.size);
  const volumes = inside.filter(({ kind }) => kind !== 'extended').map((partition) => volumeOf(partition, inside));
  return { volumes, gaps: gapsOf(table, device.size) };
}

function volumeOf({ number, offset, length }: Partition, all: readonly Partition[]): Volume {
  const end = offset + length;
  const other = all.find(
    (each) =>
      each.number !== number && each.kind !== 'extended' && each.offset < end && each.offset + each.length > offset,
  );
  return {
    ...{ name: `/dev/sda${number}`, offset, length },
    ...(other !== undefined && { overlaps: `/dev/sda${other.number}` }),
  };
}

function gapsOf({ partitions, sectorSize }: PartitionTable, size: number): { offset: number; length: number }[] {
  const gaps: { offset: number; length: number }[] = [];
  // What is inside an extended partition has tables of its own between its logical ones.
  const taken = partitions.filter(({ kind }) => kind !== 'logical').toSorted((a, b) => a.offset - b.offset);
  let end = Number.POSITIVE_INFINITY;
  for (const { offset, length } of [...taken, { offset: size - tableSectorsAtEnd * sectorSize, length: 0 }]) {
    if (offset > end) gaps.push({ offset: end, length: offset - end });
    end = Math.max(end === Number.POSITIVE_INFINITY ? 0 : end, offset + length);
  }
  return gaps;
}
