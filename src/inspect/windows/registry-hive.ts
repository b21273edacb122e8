import { VarveError } from '../../base/varve-error.ts';
import type { GuestFile } from '../../guest/guest-tree.ts';
import { HiveBytes } from './hive-bytes.ts';
import { decodeValue, type RegistryValue } from './registry-value.ts';

/*
 * A hive of Windows' registry, all numbers little-endian. Offsets count from byte 4096 on, -1 is none.
 *
 *     base block        cell: 0 4 its length, negative while in use; then
 *      0  4 "regf"      key "nk"                    value "vk"                 lists of keys
 *      4  4 sequence     2  2 flags, 0x20: Latin-1   2  2 length of the name    "lf", "lh"  2 2 count, 4 8 each:
 *      8  4 sequence    20  4 number of subkeys      4  4 length of the data,          offset, hash
 *     36  4 root key    28  4 list of them                bit 31: it is in 8   "li"  2 2 count, 4 4 each: offset
 *                       36  4 number of values       8  4 data                 "ri"  2 2 count, 4 4 each: offset of
 *                       40  4 list of offsets       12  4 type                       another list
 *                       72  2 length of the name    16  2 flags, 1: Latin-1
 *                       76    name                  20    name
 *
 * The two sequence numbers differ while changes are in the hive's logs alone.
 * Source: M. Suhanov, "Windows registry file format specification".
 */
const binsStart = 4096;
const none = 0xffffffff;
const isInPlace = 0x80000000;
const latin1Key = 0x20;
const latin1Value = 1;

/** More than any key has. */
const mostSubkeys = 200_000;
const mostValues = 20_000;
/** As Windows has it; larger values are kept in pieces, and are not what is asked for here. */
const largestValue = 16344;

/** Cells may be pointed to over and over; what is asked for here takes some ten thousand. */
const mostReads = 1_000_000;

/** A key of a hive. */
export interface RegistryKey {
  readonly name: string;
  readonly subkeyCount: number;
  /** Where its list of keys is. */
  readonly subkeys: number;
  readonly valueCount: number;
  readonly values: number;
}

/** An open hive. */
export class RegistryHive {
  readonly #bytes: HiveBytes;
  readonly #root: number;
  #reads = 0;
  /** Whether it has all that was written to it; the rest is in logs that are not read. */
  readonly isWhole: boolean;

  constructor(bytes: HiveBytes, base: DataView) {
    this.#bytes = bytes;
    this.#root = base.getUint32(36, true);
    this.isWhole = base.getUint32(4, true) === base.getUint32(8, true);
  }

  get path(): string {
    return this.#bytes.path;
  }

  /** The key of a path, `Microsoft\Windows NT`, whatever its case; undefined where there is none. @throws VarveError `CORRUPT` */
  async find(path: string): Promise<RegistryKey | undefined> {
    let key: RegistryKey | undefined = await this.#key(this.#root);
    for (const name of path.split('\\')) {
      key = await this.#subkey(key, name);
      if (key === undefined) return undefined;
    }
    return key;
  }

  /** The keys below one. @throws VarveError `CORRUPT` */
  async *subkeys(key: RegistryKey): AsyncGenerator<RegistryKey> {
    if (key.subkeyCount === 0) return;
    const offsets = await this.#listed(key.subkeys, true);
    if (offsets.length > mostSubkeys) this.#corrupt(key.subkeys, `lists more than ${mostSubkeys} keys`);
    for (const offset of offsets) yield await this.#key(offset);
  }

  /** A key's values, by their names in lower case; such as are too long for one cell are left out. @throws VarveError `CORRUPT` */
  async values(key: RegistryKey): Promise<Map<string, RegistryValue>> {
    const values = new Map<string, RegistryValue>();
    if (key.valueCount === 0) return values;
    if (key.valueCount > mostValues) this.#corrupt(key.values, `lists ${key.valueCount} values`);
    const list = viewOf(await this.#cell(key.values, key.valueCount * 4));
    for (let index = 0; index < key.valueCount; index++) {
      const [name, value] = await this.#value(list.getUint32(index * 4, true));
      if (value !== undefined) values.set(name.toLowerCase(), value);
    }
    return values;
  }

  async #subkey(key: RegistryKey, wanted: string): Promise<RegistryKey | undefined> {
    for await (const each of this.subkeys(key)) {
      if (each.name.toLowerCase() === wanted.toLowerCase()) return each;
    }
    return undefined;
  }

  async #key(offset: number): Promise<RegistryKey> {
    const head = await this.#signed(offset, 76, ['nk']);
    const view = viewOf(head);
    const length = view.getUint16(72, true);
    const name = (await this.#cell(offset, 76 + length)).subarray(76);
    return {
      name: nameText(name, (view.getUint16(2, true) & latin1Key) !== 0),
      subkeyCount: view.getUint32(20, true),
      subkeys: view.getUint32(28, true),
      valueCount: view.getUint32(36, true),
      values: view.getUint32(40, true),
    };
  }

  /** The offsets that a list has. A list of lists has no lists of lists below it. */
  async #listed(offset: number, mayNest: boolean): Promise<number[]> {
    const view = viewOf(await this.#signed(offset, 4, mayNest ? ['lf', 'lh', 'li', 'ri'] : ['lf', 'lh', 'li']));
    const signature = String.fromCharCode(view.getUint8(0), view.getUint8(1));
    const count = view.getUint16(2, true);
    const step = signature === 'lf' || signature === 'lh' ? 8 : 4;
    const list = viewOf(await this.#cell(offset, 4 + count * step));
    const offsets = Array.from({ length: count }, (_, index) => list.getUint32(4 + index * step, true));
    if (signature !== 'ri') return offsets;
    const all: number[] = [];
    for (const each of offsets) {
      for (const one of await this.#listed(each, false)) all.push(one);
      if (all.length > mostSubkeys) return all;
    }
    return all;
  }

  async #value(offset: number): Promise<[name: string, value: RegistryValue | undefined]> {
    const view = viewOf(await this.#signed(offset, 20, ['vk']));
    const nameLength = view.getUint16(2, true);
    const bytes = (await this.#cell(offset, 20 + nameLength)).subarray(20);
    const name = nameText(bytes, (view.getUint16(16, true) & latin1Value) !== 0);
    const size = view.getUint32(4, true);
    const type = view.getUint32(12, true);
    if (size >= isInPlace) {
      const data = new Uint8Array(4);
      viewOf(data).setUint32(0, view.getUint32(8, true), true);
      return [name, decodeValue(type, data.subarray(0, Math.min(size - isInPlace, 4)))];
    }
    if (size > largestValue) return [name, undefined];
    return [name, decodeValue(type, size === 0 ? new Uint8Array() : await this.#cell(view.getUint32(8, true), size))];
  }

  async #signed(offset: number, length: number, signatures: readonly string[]): Promise<Uint8Array> {
    const bytes = await this.#cell(offset, length);
    const signature = String.fromCharCode(bytes[0]!, bytes[1]!);
    return signatures.includes(signature) ? bytes : this.#corrupt(offset, `is no ${signatures.join(' or ')}`);
  }

  /** The first `length` bytes of what a cell holds. */
  async #cell(offset: number, length: number): Promise<Uint8Array> {
    if (offset === none) this.#corrupt(offset, 'is none');
    this.#reads += 1;
    if (this.#reads > mostReads) this.#corrupt(offset, 'and others are pointed to over and over');
    const start = binsStart + offset;
    const size = viewOf(await this.#bytes.read(start, 4)).getInt32(0, true);
    if (length + 4 > Math.abs(size)) this.#corrupt(offset, `has ${Math.abs(size)} bytes, and ${length + 4} are wanted`);
    return await this.#bytes.read(start + 4, length);
  }

  #corrupt(offset: number, what: string): never {
    throw new VarveError('CORRUPT', `${this.path}: the cell at byte ${binsStart + offset} ${what}`);
  }
}

/** Opens a hive. @throws VarveError `CORRUPT` */
export async function openHive(file: GuestFile): Promise<RegistryHive> {
  const bytes = new HiveBytes(file);
  const base = await bytes.read(0, 512);
  if (String.fromCharCode(...base.subarray(0, 4)) !== 'regf') {
    throw new VarveError('CORRUPT', `${file.path} is no hive of a registry`);
  }
  return new RegistryHive(bytes, viewOf(base));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function nameText(bytes: Uint8Array, isLatin1: boolean): string {
  return new TextDecoder(isLatin1 ? 'latin1' : 'utf-16le').decode(bytes);
}
