import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type GptCopy, readGptCopy } from '../../partition/gpt.ts';
import { bootRecordLength } from '../../partition/master-boot-record.ts';
import type { PartitionTable } from '../../partition/partition-table.ts';
import { gptHeadLength, gptTailLength, placedGpt } from '../../partition/placed-gpt.ts';
import { placedMbr } from '../../partition/placed-mbr.ts';
import type { DiskBytes, PlacedPartition } from '../../partition/placed-partition.ts';
import { type MappedRun, mappedDevice } from '../../volume/mapped-device.ts';
import { editBootLoaders } from './boot-loaders.ts';
import { EditedSectors } from './edited-sectors.ts';
import { editHiddenSectors } from './hidden-sectors.ts';
import { type PlannedPlaces, planPlaces } from './plan-places.ts';

/** What a disk is once its partitions start where storage writes fast. */
export interface AlignedDisk {
  /** With the partitions at their new places. */
  readonly table: PartitionTable;
  readonly placed: readonly PlacedPartition[];
  /** In bytes. */
  readonly size: number;
  /** What in it will not know where its partitions are, a sentence each. */
  readonly problems: readonly string[];
  /** It, to be read only, from a device with what the disk holds now, which stays the caller's. */
  over(device: BlockDevice): BlockDevice;
}

/** Partitions of these types hold tables of their own that count from the start of the disk: BSD, System V, LDM. */
const countingTypes = new Set(['0xa5', '0xa6', '0xa9', '0x63', '0x42']);

/** What is to be aligned. */
interface Job {
  readonly device: BlockDevice;
  readonly table: PartitionTable;
  readonly name: string;
  /** Of a GPT only. */
  readonly gpt: GptCopy | undefined;
}

/**
 * Plans a copy of a disk whose partitions start at whole mebibytes, in the same order, with the same numbers, types and
 * identities; what boots from it is told where they are then. `table` is the disk's. Nothing is written.
 *
 * @throws VarveError `UNSUPPORTED` for a table that cannot be laid out anew, `CORRUPT` for one that is damaged so that
 *   partitions would be lost, and what reading the disk throws
 */
export async function alignedDisk(device: BlockDevice, table: PartitionTable, name: string): Promise<AlignedDisk> {
  const job: Job = { device, table, name, gpt: table.scheme === 'gpt' ? await gptOf(device, table, name) : undefined };
  requireWhole(job);
  const { placed, size } = planned(job);
  const keptLength = Math.min(device.size, size, ...table.partitions.map(({ offset }) => offset));
  const base = (from: BlockDevice) => mappedDevice(moves(from, placed, { keptLength, size }), name);
  const sectors = new EditedSectors(base(device));
  for (const bytes of await placedTable(job, placed, size)) sectors.write(bytes);
  for (const each of placed) {
    const hasMoved = each.offset !== each.partition.offset;
    if (hasMoved && each.partition.kind !== 'extended') await editHiddenSectors(sectors, each);
  }
  const problems = await editBootLoaders(sectors, { placed, keptLength, isMbr: table.scheme === 'mbr' });
  const partitions = placed.map(({ length, offset, partition }) => ({ ...partition, offset, length }));
  const over = (from: BlockDevice) => sectors.over(base(from), name);
  return { table: { ...table, partitions }, placed, size, problems, over };
}

async function gptOf(device: BlockDevice, { sectorSize }: PartitionTable, name: string): Promise<GptCopy> {
  const copy = await readGptCopy(device, [sectorSize]);
  if (typeof copy !== 'string') return copy;
  throw new VarveError('CORRUPT', `cannot read the partition table of ${name}: ${copy}`);
}

/** @throws VarveError where partitions cannot be moved, or a damaged chain may have had more of them */
function requireWhole({ name, table: { partitions, problems, scheme } }: Job): void {
  const [problem] = problems;
  if (scheme === 'mbr' && problem !== undefined) throw new VarveError('CORRUPT', `cannot align ${name}: ${problem}`);
  const counting = partitions.find(({ type }) => countingTypes.has(type));
  if (counting !== undefined) {
    const what = `partition ${counting.number} (${counting.typeName ?? counting.type})`;
    const why = 'has a table of its own that counts from the start of the disk';
    throw new VarveError('UNSUPPORTED', `cannot align ${name}: ${what} ${why}`);
  }
  if (partitions.filter(({ kind }) => kind === 'extended').length < 2) return;
  throw new VarveError('UNSUPPORTED', `cannot align ${name}: it has two extended partitions`);
}

function planned({ device: { size }, gpt, name, table }: Job): PlannedPlaces {
  const isGpt = gpt !== undefined;
  const headLength = isGpt ? gptHeadLength(gpt) : bootRecordLength;
  const tailLength = isGpt ? gptTailLength(gpt) : 0;
  return planPlaces(table.partitions, { name, size, headLength, tailLength });
}

async function placedTable(
  { device, gpt, table }: Job,
  placed: readonly PlacedPartition[],
  size: number,
): Promise<DiskBytes[]> {
  const record = await recordAt(device, 0);
  if (gpt !== undefined) return placedGpt(gpt, record, placed, size);
  const extended = table.partitions.find(({ kind }) => kind === 'extended');
  const firstLink = extended === undefined ? undefined : await recordAt(device, extended.offset);
  return placedMbr(record, firstLink, placed, table.sectorSize);
}

async function recordAt(device: BlockDevice, offset: number): Promise<Uint8Array> {
  const record = new Uint8Array(bootRecordLength);
  await device.read(record, offset);
  return record;
}

/** What is before the first partition stays, which is where boot loaders put what follows their first sector. */
function moves(
  device: BlockDevice,
  placed: readonly PlacedPartition[],
  { keptLength, size }: Readonly<Record<'keptLength' | 'size', number>>,
): MappedRun[] {
  const holding = placed.filter(({ partition: { kind } }) => kind !== 'extended');
  const kept = { from: 0, offset: 0, length: keptLength };
  const moved = holding.map(({ length, offset, partition }) => ({ from: partition.offset, offset, length }));
  const runs: MappedRun[] = [];
  let end = 0;
  for (const { from, length, offset } of [kept, ...moved.sort((one, other) => one.offset - other.offset)]) {
    if (offset > end) runs.push({ length: offset - end, areas: [] });
    runs.push({ length, areas: [{ device, offset: from }] });
    end = offset + length;
  }
  if (size > end) runs.push({ length: size - end, areas: [] });
  return runs;
}
