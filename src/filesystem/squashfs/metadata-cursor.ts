import type { MaybePromise } from '../../block/block-device.ts';
import { metadataLength, type SquashfsVolume } from './volume.ts';

/** A place in a table of metadata blocks. */
export interface MetadataPlace {
  /** Where its block begins on the device, in bytes. */
  readonly block: number;
  /** In the block, unpacked. */
  readonly offset: number;
}

/** A table of metadata blocks: where it begins on the device, and where it ends at the latest. */
export interface MetadataTable {
  readonly start: number;
  readonly end: number;
  /** For errors: `inode table`. */
  readonly title: string;
}

/** The place in a table that a reference of 48 bits stands for. */
export function placeOf(table: MetadataTable, reference: number): MetadataPlace {
  return { block: table.start + Math.floor(reference / 65_536), offset: reference % 65_536 };
}

/** Reads on from a place in a table, over the ends of its blocks. */
export class MetadataCursor {
  readonly #volume: SquashfsVolume;
  readonly #table: MetadataTable;
  #block: number;
  #offset: number;
  /** The block's bytes, once they were needed. */
  #bytes: Uint8Array | undefined;

  constructor(volume: SquashfsVolume, table: MetadataTable, { block, offset }: MetadataPlace) {
    this.#volume = volume;
    this.#table = table;
    this.#block = block;
    this.#offset = offset;
    if (offset > metadataLength) throw this.#outside();
  }

  /** Where the next byte is. */
  get place(): MetadataPlace {
    return { block: this.#block, offset: this.#offset };
  }

  /** The next `length` bytes; not to be written to. @throws VarveError `CORRUPT` */
  take(length: number): MaybePromise<DataView> {
    // Hot: all that directories and inodes say comes through here (`ls -R`), and hardly ever goes over a block's end.
    const bytes = this.#bytes;
    const offset = this.#offset;
    if (bytes === undefined || offset + length > bytes.length) return this.#takeLater(length);
    this.#offset += length;
    return new DataView(bytes.buffer, bytes.byteOffset + offset, length);
  }

  /** Like `take`, as bytes of the caller's own. */
  takeBytes(length: number): MaybePromise<Uint8Array> {
    const view = this.take(length);
    return view instanceof Promise ? view.then(copyOf) : copyOf(view);
  }

  async #takeLater(length: number): Promise<DataView> {
    if (length === 0) return new DataView(new ArrayBuffer(0));
    this.#bytes = (await this.#current()).bytes;
    if (this.#offset + length <= this.#bytes.length) return await this.take(length);
    const copy = new Uint8Array(length);
    await this.#fill(copy);
    return new DataView(copy.buffer);
  }

  async #fill(target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length; ) {
      const { bytes, next } = await this.#current();
      const part = bytes.subarray(this.#offset, this.#offset + target.length - done);
      target.set(part, done);
      done += part.length;
      this.#offset += part.length;
      if (this.#offset < bytes.length) continue;
      this.#moveTo(next);
    }
  }

  /** The block with the next byte. */
  async #current(): Promise<{ readonly bytes: Uint8Array; readonly next: number }> {
    while (true) {
      if (!(this.#block >= this.#table.start && this.#block < this.#table.end)) throw this.#outside();
      const block = await this.#volume.metadata(this.#block, this.#table.title);
      if (this.#offset < block.bytes.length) return block;
      if (this.#offset > block.bytes.length) throw this.#outside();
      this.#moveTo(block.next);
    }
  }

  #moveTo(block: number): void {
    this.#block = block;
    this.#offset = 0;
    this.#bytes = undefined;
  }

  #outside(): Error {
    const { title, start, end } = this.#table;
    const where = `byte ${this.#offset} of the block at byte ${this.#block}`;
    return this.#volume.corrupt(`${where} is not in the ${title}, which has bytes ${start} to ${end}`);
  }
}

function copyOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}
