import { VarveError } from '../../../base/varve-error.ts';
import type { RpmRecord } from './rpm-record.ts';

/*
 * Packages, as rpm wrote it until 2020: a hash of Berkeley DB, in the byte order of the machine that made it.
 *
 *     page 0                                    every page
 *    12   4  0x061561                            8   4  its number
 *    16   4  version, 7 to 10                   16   4  next page
 *    20   4  length of a page                   20   2  number of items, or 0
 *    24   1  how it is encrypted, 0             22   2  where the items begin; of a long item's page, its bytes here
 *    32   4  number of the last page            25   1  type: 2, 13 hash, 7 a piece of a long item
 *                                               26      offsets of the items, 2 bytes each; items fill the page from its end
 *
 *     item:  0  1  type: 1 its bytes follow; 3 it is long: 4 4 first page, 8 4 length
 *
 * Items come in pairs, key and value; a key is the number of the package, 0 is not one. The buckets of the hash need
 * not be known: all pages are looked at.
 *
 * Source: Oracle Berkeley DB, db_page.h as its documentation of the on-disk format ("hash access method") has it.
 */
const magicNumber = 0x061561;
const headLength = 26;
const hashTypes = new Set([2, 13]);
const longItemType = 7;
const inPage = 1;
const offPage = 3;

/** Whether a file is such a database. */
export function isBerkeleyHash(bytes: Uint8Array): boolean {
  if (bytes.length < 512) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(12, true) === magicNumber || view.getUint32(12) === magicNumber;
}

/** The headers in a database. @throws VarveError `CORRUPT`, `UNSUPPORTED` for one that is encrypted */
export function* readBerkeleyHash(bytes: Uint8Array, path: string): Generator<RpmRecord> {
  const pages = new Pages(bytes, path);
  for (let page = 1; page < pages.count; page++) {
    if (!hashTypes.has(pages.type(page))) continue;
    const itemCount = pages.itemCount(page);
    for (let index = 0; index + 1 < itemCount; index += 2) {
      const key = pages.item(page, index);
      if (key[0] !== inPage || key.length !== 5) continue;
      const number = pages.u32(key, 1);
      if (number === 0) continue;
      yield { number, read: () => pages.value(pages.item(page, index + 1), number) };
    }
  }
}

class Pages {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #path: string;
  readonly #isLittleEndian: boolean;
  readonly #length: number;
  /** How many pages of long items may still be read: a file has no more, and a circle would. */
  #left: number;
  readonly count: number;

  constructor(bytes: Uint8Array, path: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#path = path;
    this.#isLittleEndian = this.#view.getUint32(12, true) === magicNumber;
    this.#length = this.#u32(20);
    const isPower = (this.#length & (this.#length - 1)) === 0;
    if (!isPower || this.#length < 512 || this.#length > 65536) {
      throw new VarveError('CORRUPT', `${path}: its pages cannot have ${this.#length} bytes`);
    }
    if (bytes[24] !== 0) throw new VarveError('UNSUPPORTED', `${path} is encrypted`);
    this.count = Math.min(this.#u32(32) + 1, Math.floor(bytes.length / this.#length));
    this.#left = this.count;
  }

  type(page: number): number {
    return this.#bytes[page * this.#length + 25]!;
  }

  itemCount(page: number): number {
    const count = this.#u16(page * this.#length + 20);
    return headLength + count * 2 > this.#length ? this.#corrupt(page, `has ${count} items`) : count;
  }

  /** An item's bytes, its type first. It reaches to where the one before it begins. */
  item(page: number, index: number): Uint8Array {
    const base = page * this.#length;
    const start = this.#u16(base + headLength + index * 2);
    const end = index === 0 ? this.#length : this.#u16(base + headLength + (index - 1) * 2);
    if (start < headLength || start >= end || end > this.#length) this.#corrupt(page, `has no item ${index}`);
    return this.#bytes.subarray(base + start, base + end);
  }

  u32(bytes: Uint8Array, offset: number): number {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, this.#isLittleEndian);
  }

  value(item: Uint8Array, number: number): Uint8Array {
    if (item[0] === inPage) return item.subarray(1);
    if (item[0] !== offPage || item.length < 12) {
      throw new VarveError('CORRUPT', `${this.#path}: the package ${number} is an item of type ${item[0]}`);
    }
    const length = this.u32(item, 8);
    if (length > this.#bytes.length) {
      throw new VarveError('CORRUPT', `${this.#path}: the package ${number} has ${length} bytes, more than the file`);
    }
    return this.#longItem(this.u32(item, 4), length);
  }

  #longItem(first: number, length: number): Uint8Array {
    const value = new Uint8Array(length);
    let done = 0;
    for (let page = first; done < length; page = this.#u32(page * this.#length + 16)) {
      if (page === 0 || page >= this.count || this.type(page) !== longItemType) {
        this.#corrupt(page, 'is no piece of a long item');
      }
      this.#left -= 1;
      if (this.#left < 0) this.#corrupt(page, 'is in two long items');
      const base = page * this.#length + headLength;
      const here = Math.min(this.#u16(page * this.#length + 22), this.#length - headLength, length - done);
      if (here === 0) this.#corrupt(page, 'is an empty piece of a long item');
      value.set(this.#bytes.subarray(base, base + here), done);
      done += here;
    }
    return value;
  }

  #u16(offset: number): number {
    return this.#view.getUint16(offset, this.#isLittleEndian);
  }

  #u32(offset: number): number {
    return this.#view.getUint32(offset, this.#isLittleEndian);
  }

  #corrupt(page: number, what: string): never {
    throw new VarveError('CORRUPT', `${this.#path}: page ${page} at byte ${page * this.#length} ${what}`);
  }
}
