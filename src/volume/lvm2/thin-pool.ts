/*
 * A thin pool: a device with blocks of data, and one with the tables that say which of them belongs to which block of
 * which thin volume. The latter has blocks of 4096 bytes, the first of which is its superblock; numbers are
 * little-endian:
 *
 *   byte   0–3   sum of bytes 4 to 4095           320–327  block of the root of mappings
 *          8–15  number of this block, 0          328–335  block of the root of what is known of volumes
 *         32–39  27022010                         336–339  length of a block of data, in sectors of 512 bytes
 *         40–43  version, 1 or 2                  340–343  length of a block of tables, in sectors: 8
 *         48–55  number of the last transaction   360–363  features that must be known: none are
 *
 * Roots and all that hangs on them are nodes of B-trees, a block each:
 *
 *   byte   0–3   sum of bytes 4 to 4095            16–19  count of entries
 *          4–7   1 for an inner node, 2 a leaf     20–23  count of entries that have room
 *          8–15  number of this block              24–27  length of a value, 8
 *                                                  32–…   room for keys of 8 bytes, and behind it for values
 *
 * The keys of the tree of mappings are the numbers of thin volumes, its values the roots of trees whose keys are the
 * volumes' blocks, and whose values are blocks of data, in their upper 40 bits.
 *
 * Source: Linux, drivers/md/dm-thin-metadata.c, drivers/md/persistent-data/dm-btree-internal.h, and
 * Documentation/admin-guide/device-mapper/thin-provisioning.rst.
 */
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ThinDevice } from './thin-device.ts';
import { ThinTables, tableBlockLength } from './thin-tables.ts';

/** What of a logical volume is a thin pool; its name is for messages. */
export interface ThinPoolParts {
  readonly metadata: BlockDevice;
  readonly data: BlockDevice;
  readonly name: string;
}

/** An open thin pool. */
export interface ThinPool {
  /**
   * The thin volume of a number, of `length` bytes, to be read only. What was never written is zeros.
   *
   * @throws VarveError `CORRUPT`
   */
  volume(number: number, length: number): Promise<BlockDevice>;
}

const sectorLength = 512;
const magic = 27_022_010n;
const superblockSalt = 160_774;
const smallestDataBlock = 65_536;
const largestDataBlock = 2 ** 30;

/** @throws VarveError `CORRUPT`, `UNSUPPORTED` for features that are not known */
export async function openThinPool({ data, metadata, name }: ThinPoolParts): Promise<ThinPool> {
  const tables = new ThinTables(metadata, name);
  const superblock = await runSteps(tables.block(0, superblockSalt));
  const reader = new ByteReader(superblock, `superblock of the thin pool ${name}`);
  reader.seek(32);
  if (reader.opaque64le() !== magic) throw tables.corrupt(0, 'it is no superblock');
  const version = reader.u32le();
  reader.seek(320);
  const root = reader.u64le('root of mappings');
  reader.skip(8);
  const blockLength = reader.u32le() * sectorLength;
  const tableLength = reader.u32le() * sectorLength;
  reader.seek(360);
  const features = reader.u32le();
  if (version > 2 || features !== 0) {
    const what = `version ${version}, with features 0x${features.toString(16)}`;
    throw new VarveError('UNSUPPORTED', `cannot read the thin pool ${name}: it is of ${what}, which is not known`);
  }
  if (blockLength < smallestDataBlock || blockLength > largestDataBlock || tableLength !== tableBlockLength) {
    throw tables.corrupt(0, `its blocks have ${blockLength} and ${tableLength} bytes`);
  }
  return {
    async volume(number, length) {
      const found = await runSteps(tables.find(root, number));
      const mappings = found?.key === number ? Number(found.value) : undefined;
      return new ThinDevice({ data, blockLength, tables, mappings, name }, length);
    },
  };
}
