import { formatSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { alignDown, alignUp } from '../../bytes/align.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { truncateFilter } from '../../filter/truncate.ts';
import type { Partition, PartitionTable } from '../../partition/partition-table.ts';
import { type ReadPartitionTableOptions, readPartitionTable } from '../../partition/read-partition-table.ts';
import type { FilterArguments } from './filter-arguments.ts';
import type { DiskFilter } from './filter-chain.ts';

type Applied = Pick<DiskFilter, 'apply'>;

/** `partition=2` */
export function partitionFilter(args: FilterArguments): Applied {
  const number = args.count(args.required(args.value()), 1)!;
  const sectorSize = args.choice(args.named('sector-size'), {
    '512': 512,
    '4096': 4096,
    '4K': 4096,
    '4k': 4096,
  } as const);
  return {
    apply: async (device, { label }) => {
      const { length, offset } = await findPartition(device, number, { name: label, sectorSize });
      return sliceFilter(device, { offset, length });
    },
  };
}

async function findPartition(
  device: BlockDevice,
  number: number,
  options: ReadPartitionTableOptions,
): Promise<Partition> {
  const { name } = options;
  const table = await readPartitionTable(device, options);
  if (table === undefined) throw new VarveError('NOT_FOUND', `${name} has no partition table`);
  const found = table.partitions.find((partition) => partition.number === number);
  if (found !== undefined) return found;
  throw new VarveError('NOT_FOUND', `${name} has no partition ${number}; ${listed(table)}`);
}

function listed({ partitions, problems }: PartitionTable): string {
  const texts = partitions.map(({ length, name, number, type, typeName = type }) => {
    return `${number} (${[name, typeName, formatSize(length)].filter((each) => each !== undefined).join(', ')})`;
  });
  const found = texts.length === 0 ? 'its partition table is empty' : `there are ${texts.join(', ')}`;
  return [found, ...problems].join('; ');
}

/** `offset=1M,10M` */
export function offsetFilter(args: FilterArguments): Applied {
  const offset = args.size(args.required(args.value()))!;
  const length = args.size(args.value());
  return {
    apply: (device) => sliceFilter(device, length === undefined ? restFrom(device, offset) : { offset, length }),
  };
}

/** A slice of nothing is of no use to anybody: an offset past the end is a mistake. */
function restFrom({ size }: BlockDevice, offset: number): { offset: number } {
  if (offset <= size) return { offset };
  throw new VarveError('OUT_OF_RANGE', `the disk ends at ${size}`);
}

/** `truncate=10G`, `truncate=round-up=1M` */
export function sizeFilter(args: FilterArguments): Applied {
  const size = args.size(args.value());
  const multiples = { up: args.size(args.named('round-up'), 1), down: args.size(args.named('round-down'), 1) };
  const givenCount = [size, multiples.up, multiples.down].filter((each) => each !== undefined).length;
  if (givenCount !== 1) throw args.invalid('give one size');
  return { apply: (device) => truncateFilter(device, size ?? rounded(device.size, multiples)) };
}

function rounded(size: number, { down, up }: { down: number | undefined; up: number | undefined }): number {
  const result = up === undefined ? alignDown(size, down!) : alignUp(size, up);
  if (Number.isSafeInteger(result)) return result;
  throw new VarveError('OUT_OF_RANGE', 'no disk has more than 2^53-1 bytes');
}
