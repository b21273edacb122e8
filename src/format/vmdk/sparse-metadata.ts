import { alignUp } from '../../bytes/align.ts';
import type { Bitmap } from '../../bytes/bitmap.ts';
import type { GrainAllocation } from './grain-allocation.ts';
import { encodeSparseHeader } from './sparse-header.ts';
import { sectorSize } from './sparse-layout.ts';
import {
  descriptorLength,
  entriesPerTable,
  grainSectors,
  headerOf,
  tableEntry,
  tableLength,
  type WritePlan,
} from './write-plan.ts';

/** Where the parts of a monolithic sparse disk are, in sectors: each directory with its tables after it, then grains. */
export interface MetadataPlaces {
  readonly rgdOffset: number;
  readonly gdOffset: number;
  readonly overHead: number;
}

/** Two copies of the directory and of all tables, as VMware's products make them. */
export function metadataPlaces({ tableCount }: WritePlan): MetadataPlaces {
  const length = directoryLength(tableCount) + tableCount * tableLength;
  const rgdOffset = 1 + descriptorLength;
  const gdOffset = rgdOffset + length;
  return { rgdOffset, gdOffset, overHead: alignUp(gdOffset + length, grainSectors) };
}

/** In sectors. */
function directoryLength(tableCount: number): number {
  return Math.ceil((tableCount * 4) / sectorSize);
}

/** All up to the first grain, from the first byte on: bytes, or how many of zeros. */
export function* sparseMetadata(
  plan: WritePlan,
  places: MetadataPlaces,
  allocation: GrainAllocation,
): Generator<Uint8Array | number, undefined> {
  const head = new Uint8Array(places.rgdOffset * sectorSize);
  head.set(encodeSparseHeader(headerOf(plan, places)));
  head.set(new TextEncoder().encode(plan.descriptor), sectorSize);
  yield head;
  let end = places.rgdOffset;
  for (const directory of [places.rgdOffset, places.gdOffset]) {
    yield encodeDirectory(plan.tableCount, directory);
    yield* tables(plan.tableCount, places.overHead, allocation);
    end = directory + directoryLength(plan.tableCount) + plan.tableCount * tableLength;
  }
  if (places.overHead > end) yield (places.overHead - end) * sectorSize;
}

function encodeDirectory(tableCount: number, offset: number): Uint8Array {
  const directory = new Uint32Array((directoryLength(tableCount) * sectorSize) / 4);
  const first = offset + directoryLength(tableCount);
  for (let index = 0; index < tableCount; index += 1) directory[index] = tableEntry(first + index * tableLength);
  return new Uint8Array(directory.buffer);
}

function* tables(
  tableCount: number,
  overHead: number,
  allocation: GrainAllocation,
): Generator<Uint8Array | number, undefined> {
  let sector = overHead;
  let next = 0;
  for (const [index, present] of allocation.tables) {
    if (index > next) yield (index - next) * tableLength * sectorSize;
    yield encodeTable(present, sector);
    sector += present.count() * grainSectors;
    next = index + 1;
  }
  if (tableCount > next) yield (tableCount - next) * tableLength * sectorSize;
}

/** The table of grains that come one after the other from `sector` on. (Node's platforms are little-endian.) */
function encodeTable(present: Bitmap, sector: number): Uint8Array {
  const table = new Uint32Array(entriesPerTable);
  let next = sector;
  for (let index = present.nextSet(0); index < present.size; index = present.nextSet(index + 1)) {
    table[index] = tableEntry(next);
    next += grainSectors;
  }
  return new Uint8Array(table.buffer);
}
