import type { BlockDevice } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { type DirectoryRecord, decodeRecord } from './directory-record.ts';

/** How many bytes of directories are kept. */
const cachedLength = 8 << 20;

/** What the names of a tree are: with Rock Ridge, in UTF-16, or neither. */
export type NameKind = 'rock ridge' | 'joliet' | 'plain';

/** The blocks of an ISO 9660 volume, below its files. */
export class Iso9660Volume extends FileSystemVolume {
  /** In bytes. */
  readonly blockSize: number;
  readonly #pages: DevicePages;

  constructor(device: BlockDevice, blockSize: number, name: string) {
    super(device, name);
    this.blockSize = blockSize;
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
}
