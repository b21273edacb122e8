/*
 * Extended attributes, little-endian. xattr_id_table_start has xattr_table_start (64 bit), where they are, xattr_ids
 * (32 bit), how many inodes' attributes there are, and 32 bits unused; behind it the places of the table that says where
 * an inode's are (lookup-table.ts). Those are, one after the other, in metadata blocks:
 *
 *   type (16 bit): 0 user, 1 trusted, 2 security; bit 8 where the value is elsewhere
 *   size of the name without its prefix (16 bit), name
 *   vsize (32 bit), value; where it is elsewhere, vsize is 8, and the value the reference of another vsize and value
 *
 * Source: Linux, fs/squashfs/squashfs_fs.h and Documentation/filesystems/squashfs.rst, section 3.7.
 */
import { LookupTable } from './lookup-table.ts';
import { MetadataCursor, type MetadataTable, placeOf } from './metadata-cursor.ts';
import type { SquashfsVolume } from './volume.ts';

const headerLength = 16;
const recordLength = 16;
const elsewhere = 0x100;
const prefixes: Readonly<Record<number, string>> = { 0: 'user.', 1: 'trusted.', 2: 'security.' };
/** The longest value that Linux takes, and the most that one inode may have in all, in bytes. */
const longestValue = 65_536;
const largestSet = 16 << 20;

/** The attributes of a squashfs. */
export class ExtendedAttributes {
  readonly #volume: SquashfsVolume;
  readonly #sets: LookupTable;
  readonly #table: MetadataTable;

  private constructor(volume: SquashfsVolume, sets: LookupTable, table: MetadataTable) {
    this.#volume = volume;
    this.#sets = sets;
    this.#table = table;
  }

  /** Opens them; `place` is where their header is on the device. @throws VarveError `CORRUPT` */
  static async open(volume: SquashfsVolume, place: number): Promise<ExtendedAttributes> {
    const header = new Uint8Array(headerLength);
    await volume.read(header, place, 'the header of the attributes');
    const view = new DataView(header.buffer);
    const start = Number(view.getBigUint64(0, true));
    if (start >= place) throw volume.corrupt(`the attributes begin at byte ${start}, behind their table`);
    const table = { start, end: place, title: 'table of attributes' };
    const options = {
      place: place + headerLength,
      count: view.getUint32(8, true),
      recordLength,
      record: 'set of attributes',
    };
    return new ExtendedAttributes(volume, new LookupTable(volume, options), table);
  }

  /** Set `index` of them, by their whole names. @throws VarveError `CORRUPT` */
  async get(index: number): Promise<Map<string, Uint8Array>> {
    const record = await this.#sets.get(index);
    const count = record.getUint32(8, true);
    const cursor = new MetadataCursor(this.#volume, this.#table, placeOf(this.#table, reference(record)));
    const found = new Map<string, Uint8Array>();
    let length = 0;
    for (let number = 0; number < count; number++) {
      const header = await cursor.take(4);
      const type = header.getUint16(0, true);
      const name = new TextDecoder().decode(await cursor.takeBytes(header.getUint16(2, true)));
      const value = await this.#value(cursor, (type & elsewhere) !== 0);
      length += name.length + value.length;
      if (length > largestSet) throw this.#volume.corrupt(`set ${index} of attributes has over ${largestSet} bytes`);
      const prefix = prefixes[type & ~elsewhere];
      if (prefix !== undefined) found.set(prefix + name, value);
    }
    return found;
  }

  async #value(cursor: MetadataCursor, isElsewhere: boolean): Promise<Uint8Array> {
    const length = (await cursor.take(4)).getUint32(0, true);
    if (length > longestValue) throw this.#volume.corrupt(`an attribute has ${length} bytes`);
    if (!isElsewhere) return await cursor.takeBytes(length);
    if (length !== 8) throw this.#volume.corrupt(`the reference of an attribute has ${length} bytes`);
    const place = placeOf(this.#table, reference(await cursor.take(8)));
    return await this.#value(new MetadataCursor(this.#volume, this.#table, place), false);
  }
}

/** The reference at the start of `view`; one that cannot be lies past the end of any table. */
function reference(view: DataView): number {
  return view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
}
