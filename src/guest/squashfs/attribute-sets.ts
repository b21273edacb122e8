import { MetadataOutput, referenceOf } from './metadata-output.ts';

const prefixes = ['user.', 'trusted.', 'security.'] as const;
/** Stands for no attributes. */
export const noAttributes = 0xffff_ffff;

/** The extended attributes of files, each set of them once. Source: as of src/filesystem/squashfs/extended-attributes.ts. */
export class AttributeSets {
  readonly #values = new MetadataOutput();
  readonly #records: Uint8Array[] = [];
  readonly #known = new Map<string, number>();

  /** The number of a set; `noAttributes` where nothing of it can be kept, as ACLs cannot. */
  add(attributes: ReadonlyMap<string, Uint8Array>): number {
    const pairs: Uint8Array[] = [];
    let count = 0;
    for (const [name, value] of attributes) {
      const type = prefixes.findIndex((prefix) => name.startsWith(prefix));
      if (type === -1) continue;
      count += 1;
      const suffix = Buffer.from(name.slice(prefixes[type]!.length));
      const [head, length] = [Buffer.alloc(4), Buffer.alloc(4)];
      head.writeUInt16LE(type, 0);
      head.writeUInt16LE(suffix.length, 2);
      length.writeUInt32LE(value.length);
      pairs.push(head, suffix, length, value);
    }
    if (count === 0) return noAttributes;
    const bytes = Buffer.concat(pairs);
    const key = bytes.toString('latin1');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const number = this.#records.length;
    const record = Buffer.alloc(16);
    record.writeBigUInt64LE(BigInt(referenceOf(this.#values.position)), 0);
    record.writeUInt32LE(count, 8);
    record.writeUInt32LE(bytes.length, 12);
    this.#values.add(bytes);
    this.#records.push(record);
    this.#known.set(key, number);
    return number;
  }

  /** The tables as they stand from byte `start` on, and where their header is; undefined where there are none. */
  end(start: number): { readonly bytes: Uint8Array; readonly header: number } | undefined {
    if (this.#records.length === 0) return undefined;
    const values = this.#values.end();
    const records = new MetadataOutput();
    for (const record of this.#records) records.add(record);
    const { bytes, starts } = records.end();
    const recordsStart = start + values.bytes.length;
    const header = Buffer.alloc(16 + 8 * starts.length);
    header.writeBigUInt64LE(BigInt(start), 0);
    header.writeUInt32LE(this.#records.length, 8);
    starts.forEach((each, index) => void header.writeBigUInt64LE(BigInt(recordsStart + each), 16 + 8 * index));
    return { bytes: Buffer.concat([values.bytes, bytes, header]), header: recordsStart + bytes.length };
  }
}
