import type { PlacedPartition } from '../../partition/placed-partition.ts';
import type { EditedSectors } from './edited-sectors.ts';
import { editGrubBlocks, type Translate } from './grub-blocks.ts';
import { isNtfs } from './hidden-sectors.ts';

/** Where on a disk boot sectors are, and what they count on. */
export interface BootPlaces {
  readonly placed: readonly PlacedPartition[];
  /** Up to where bytes that are in no partition are where they were. */
  readonly keptLength: number;
  /** Whether programs know its partitions by where they start, which in a GPT nobody needs. */
  readonly isMbr: boolean;
}

/** Has boot loaders find what has moved. @returns what they do not find, a sentence each */
export async function editBootLoaders(sectors: EditedSectors, places: BootPlaces): Promise<string[]> {
  const { isMbr, keptLength, placed } = places;
  const holding = placed.filter(({ length, partition }) => partition.kind !== 'extended' && length > 0);
  const moved = holding.filter(({ offset, partition }) => offset !== partition.offset);
  if (moved.length === 0) return [];
  const translate: Translate = (offset) => translated(offset, holding) ?? (offset < keptLength ? offset : undefined);
  const problems: string[] = [];
  const bootSectors = holding.map(({ offset, partition }) => ({ offset, of: `of partition ${partition.number}` }));
  for (const { of, offset } of [{ offset: 0, of: 'of the disk' }, ...bootSectors]) {
    const isFound = await editGrubBlocks(sectors, offset, translate);
    if (isFound === false) problems.push(`GRUB in the boot sector ${of} is to be installed anew: grub-install`);
    if (isLilo(await sectors.read(offset))) {
      problems.push(`LILO in the boot sector ${of} keeps where its files were: it is to be installed anew`);
    }
  }
  if (isMbr && (await anyNtfs(sectors, moved))) {
    problems.push('Windows knows partitions by where they start: where it does not, bcdboot repairs that');
  }
  return problems;
}

function translated(offset: number, placed: readonly PlacedPartition[]): number | undefined {
  const holder = placed.find(({ partition: each }) => offset >= each.offset && offset < each.offset + each.length);
  return holder === undefined ? undefined : offset - holder.partition.offset + holder.offset;
}

/** LILO has its name behind a jump of two or three bytes and the numbers of its version. */
function isLilo(sector: Uint8Array): boolean {
  return [2, 6].some((place) => Buffer.from(sector.subarray(place, place + 4)).toString('latin1') === 'LILO');
}

async function anyNtfs(sectors: EditedSectors, placed: readonly PlacedPartition[]): Promise<boolean> {
  for (const { offset } of placed) if (isNtfs(await sectors.read(offset))) return true;
  return false;
}
