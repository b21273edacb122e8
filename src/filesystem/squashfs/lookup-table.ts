/*
 * A table of records of one length, in metadata blocks of 8192 bytes each; where each of those begins on the device is in
 * an array of 64-bit places, at the place that the superblock has for the table:
 *
 *   owners       uid or gid, 32 bits
 *   fragments    start_block (64 bit), size (32 bits as those of data blocks), unused (32 bit)
 *   attributes   xattr (64 bit reference), count (32 bit), size (32 bit)
 *
 * Source: Linux, fs/squashfs/squashfs_fs.h and Documentation/filesystems/squashfs.rst, sections 3.3 to 3.7.
 */
import { LruMap } from '../../base/lru.ts';
import { MetadataCursor } from './metadata-cursor.ts';
import { metadataLength, type SquashfsVolume } from './volume.ts';

const cachedPlaces = 1024;

/** What a lookup table is. */
export interface LookupTableOptions {
  /** Where the array of places is on the device, in bytes. */
  readonly place: number;
  readonly recordLength: number;
  readonly count: number;
  /** What a record is, for errors: `fragment`. */
  readonly record: string;
}

/** Records that are found by their numbers. */
export class LookupTable {
  readonly #volume: SquashfsVolume;
  readonly #options: LookupTableOptions;
  /** Where its blocks begin. */
  readonly #places = new LruMap<number, number>(cachedPlaces);

  constructor(volume: SquashfsVolume, options: LookupTableOptions) {
    this.#volume = volume;
    this.#options = options;
  }

  /** @throws VarveError `CORRUPT` */
  async get(index: number): Promise<DataView> {
    const { recordLength, count, record } = this.#options;
    if (!(index < count)) throw this.#volume.corrupt(`there is no ${record} ${index}, there are ${count}`);
    const offset = index * recordLength;
    const block = await this.#placeOfBlock(Math.floor(offset / metadataLength));
    const table = { start: 0, end: this.#volume.superblock.size, title: `table of ${record}s` };
    const cursor = new MetadataCursor(this.#volume, table, { block, offset: offset % metadataLength });
    return await cursor.take(recordLength);
  }

  async #placeOfBlock(index: number): Promise<number> {
    const known = this.#places.get(index);
    if (known !== undefined) return known;
    const { place, record } = this.#options;
    const pointer = new Uint8Array(8);
    await this.#volume.read(pointer, place + index * 8, `place ${index} of the table of ${record}s`);
    const view = new DataView(pointer.buffer);
    const block = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
    this.#places.set(index, block);
    return block;
  }
}
