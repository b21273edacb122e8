import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { readInside } from '../read-inside.ts';
import { type DirectoryRecord, decodeRecord } from './directory-record.ts';

/** How many bytes of directories are kept. */
const cachedLength = 8 << 20;

/** What the names of a tree are: with Rock Ridge, in UTF-16, or neither. */
export type NameKind = 'rock ridge' | 'joliet' | 'plain';

/** The blocks of an ISO 9660 volume, below its files. */
export class Iso9660Volume {
  readonly device: BlockDevice;
  /** In bytes. */
  readonly blockSize: number;
  readonly #name: string;
  readonly #pages: DevicePages;

  constructor(device: BlockDevice, blockSize: number, name: string) {
    this.device = device;
    this.blockSize = blockSize;
    this.#name = name;
    this.#pages = new DevicePages({ device, name, capacity: Math.ceil(cachedLength / blockSize) });
  }

  /** The record at byte `place`; undefined where the rest of its block has none. @throws VarveError `CORRUPT` */
  async record(place: number): Promise<DirectoryRecord | undefined> {
    const inside = place % this.blockSize;
    const got = this.#pages.get(place - inside, this.blockSize, 'block of a directory');
    const page = got instanceof Promise ? await got : got;
    if (page.getUint8(inside) === 0) return undefined;
    const record = decodeRecord(new Uint8Array(page.buffer, page.byteOffset + inside, this.blockSize - inside), place);
    if (typeof record === 'string') throw this.corrupt(`the directory record at byte ${place} ${record}`);
    return record;
  }

  /** The first record at `place` or behind it, before `end`. */
  async recordFrom(place: number, end: number): Promise<DirectoryRecord | undefined> {
    for (let next = place; next < end; next = this.nextBlock(next)) {
      const record = await this.record(next);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /** Where the block after the one with byte `place` begins. */
  nextBlock(place: number): number {
    return (Math.floor(place / this.blockSize) + 1) * this.blockSize;
  }

  /** @throws VarveError `CORRUPT` */
  async read(target: Uint8Array, place: number, what: string): Promise<void> {
    await readInside(this.device, target, place, `${this.#name}: ${what}`);
  }

  corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#name}: ${why}`);
  }

  unsupported(why: string): VarveError {
    return new VarveError('UNSUPPORTED', `cannot read ${this.#name}: ${why}`);
  }

  /** For what a caller asked of the wrong file. */
  invalid(why: string): VarveError {
    return new VarveError('INVALID', `${this.#name}: ${why}`);
  }
}
