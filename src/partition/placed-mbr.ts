import { VarveError } from '../base/varve-error.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { encodeCylinder, type Geometry, geometryOf } from './cylinders.ts';
import { bootRecordLength, decodeBootRecord } from './master-boot-record.ts';
import type { DiskBytes, PlacedPartition } from './placed-partition.ts';

const entriesOffset = 446;
const entryLength = 16;
const linkType = 0x05;
/** Before each logical partition, its link; one mebibyte, as fdisk leaves it. */
export const linkLength = 2 ** 20;
const firstLogicalNumber = 5;
const maximumSector = 2 ** 32;

/** What an entry is to say. */
interface Entry {
  readonly type: number;
  readonly isBootable: boolean;
  /** In bytes, on the disk. */
  readonly offset: number;
  readonly length: number;
  /** What its first sector is counted from, in bytes. */
  readonly base: number;
}

/**
 * The boot record and the chain of logical partitions for an MBR's partitions at their new places; boot code stays. The
 * link of the first logical partition is where the extended one starts, those of others are `linkLength` bytes before
 * them. `record` is the disk's first sector, `firstLink` that of the extended partition.
 *
 * @throws VarveError `UNSUPPORTED` for a place that an MBR cannot name
 */
export function placedMbr(
  record: Uint8Array,
  firstLink: Uint8Array | undefined,
  placed: readonly PlacedPartition[],
  sectorSize: number,
): DiskBytes[] {
  const encoder = new Encoder(sectorSize, geometryIn(record));
  const own = placed.filter(({ partition: { kind } }) => kind !== 'logical');
  const main = Uint8Array.from(record);
  for (const each of own) encoder.put(main, each.partition.number - 1, entryOf(each, 0));
  const extended = own.find(({ partition: { kind } }) => kind === 'extended');
  const logical = placed.filter(({ partition: { kind } }) => kind === 'logical');
  if (extended === undefined) return [{ offset: 0, bytes: main }];
  return [{ offset: 0, bytes: main }, ...encoder.chain(extended, logical, firstLink)];
}

class Encoder {
  readonly #sectorSize: number;
  readonly #geometry: Geometry;

  constructor(sectorSize: number, geometry: Geometry) {
    this.#sectorSize = sectorSize;
    this.#geometry = geometry;
  }

  put(record: Uint8Array, index: number, { base, isBootable, length, offset, type }: Entry): void {
    const sectorAt = (place: number) => place / this.#sectorSize;
    const [first, count] = [sectorAt(offset - base), sectorAt(length)];
    if (sectorAt(offset) + count > maximumSector) {
      throw new VarveError('UNSUPPORTED', 'an MBR cannot have a partition end where it would have to');
    }
    const writer = new ByteWriter(record);
    writer.seek(entriesOffset + index * entryLength);
    writer.u8(isBootable ? 0x80 : 0);
    writer.put(encodeCylinder(sectorAt(offset), this.#geometry));
    writer.u8(type);
    writer.put(encodeCylinder(sectorAt(offset) + count - 1, this.#geometry));
    writer.u32le(first);
    writer.u32le(count);
  }

  /** A link for each logical partition, in the order of their numbers; one without where there is none. */
  chain(
    extended: PlacedPartition,
    logical: readonly PlacedPartition[],
    firstLink: Uint8Array | undefined,
  ): DiskBytes[] {
    if (logical.length === 0) return [{ offset: extended.offset, bytes: emptyLink(firstLink) }];
    return logical.map((each, index) => {
      const bytes = emptyLink(index === 0 ? firstLink : undefined);
      const offset = index === 0 ? extended.offset : each.offset - linkLength;
      this.put(bytes, 0, entryOf(each, offset));
      const next = logical[index + 1];
      if (next !== undefined) {
        const place = { offset: next.offset - linkLength, length: next.length + linkLength };
        this.put(bytes, 1, { ...place, type: linkType, isBootable: false, base: extended.offset });
      }
      return { offset, bytes };
    });
  }
}

/** A link that names nothing, with the code of an older one, which some boot managers have there. */
function emptyLink(older: Uint8Array | undefined): Uint8Array {
  const link = new Uint8Array(bootRecordLength);
  if (older !== undefined) link.set(older.subarray(0, entriesOffset));
  link.set([0x55, 0xaa], bootRecordLength - 2);
  return link;
}

function entryOf({ length, offset, partition: { attributes, type } }: PlacedPartition, base: number): Entry {
  return { type: Number(type), isBootable: attributes.includes('bootable'), offset, length, base };
}

function geometryIn(record: Uint8Array): Geometry {
  const entries = decodeBootRecord(record)?.entries ?? [];
  return geometryOf(
    entries.map(({ firstSector, index, sectorCount }) => {
      const start = entriesOffset + index * entryLength;
      const [firstBytes, lastBytes] = [record.subarray(start + 1, start + 4), record.subarray(start + 5, start + 8)];
      return { first: firstSector, firstBytes, last: firstSector + sectorCount - 1, lastBytes };
    }),
  );
}

/** Whether a logical partition's link is where the extended one starts. */
export function isFirstLogical(number: number): boolean {
  return number === firstLogicalNumber;
}
