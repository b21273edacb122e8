/*
 * A metadata block: 16 bits, little-endian, bit 15 set where it is not compressed, else the length that it has on the
 * device; then what unpacks to at most 8192 bytes. A data block or fragment has 32 bits elsewhere: bit 24 set where it is
 * not compressed, and its length; 0 stands for a block of zeros that is not there.
 *
 * Source: Linux, Documentation/filesystems/squashfs.rst, sections 3 and 3.6.
 */
import { LruMap } from '../../base/lru.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { type Unpack, unpackerFor } from './compression.ts';
import type { Superblock } from './superblock.ts';

/** The most bytes that a metadata block holds. */
export const metadataLength = 8192;
const metadataPlain = 0x8000;
const dataPlain = 0x100_0000;

/** How many bytes of each are kept, unpacked. */
const cachedMetadata = 8 << 20;
const cachedData = 16 << 20;

/** A metadata block, unpacked, and where the one after it begins on the device. */
export interface MetadataBlock {
  readonly bytes: Uint8Array;
  readonly next: number;
}

/** How a data block is stored, and where. */
export interface StoredBlock {
  /** Where it begins on the device. */
  readonly place: number;
  /** Its length there, in bytes; 0 for a hole. */
  readonly length: number;
  readonly isPlain: boolean;
}

/** What the 32 bits say that stand for a data block. */
export function storedBlock(place: number, word: number): StoredBlock {
  return { place, length: word & (dataPlain - 1), isPlain: (word & dataPlain) !== 0 };
}

/** The blocks of a squashfs, below its tables and files. */
export class SquashfsVolume extends FileSystemVolume {
  readonly superblock: Superblock;
  readonly #unpack: Unpack;
  readonly #metadata = new LruMap<number, MaybePromise<MetadataBlock>>(cachedMetadata);
  readonly #data = new LruMap<number, Promise<Uint8Array>>(cachedData);

  constructor(device: BlockDevice, superblock: Superblock, name: string) {
    super(device, name);
    this.superblock = superblock;
    this.#unpack = unpackerFor(superblock.compression, name);
  }

  /** The metadata block at byte `place` of the device. `what` names it in errors: `inode table`. */
  metadata(place: number, what: string): MaybePromise<MetadataBlock> {
    const known = this.#metadata.get(place);
    if (known !== undefined) return known;
    const loading = this.#loadMetadata(place, `the block at byte ${place} of the ${what}`);
    this.#metadata.set(place, loading, metadataLength);
    loading.then(
      (block) => this.#metadata.set(place, block, metadataLength),
      () => this.#metadata.delete(place),
    );
    return loading;
  }

  /** The bytes of a data block or fragment, which has at most `limit` of them; kept for a while. */
  data(block: StoredBlock, limit: number, what: string): Promise<Uint8Array> {
    const known = this.#data.get(block.place);
    if (known !== undefined) return known;
    const loading = this.#loadData(block, limit, what);
    this.#data.set(block.place, loading, limit);
    loading.catch(() => this.#data.delete(block.place));
    return loading;
  }

  /** @throws VarveError `CORRUPT` */
  override read(target: Uint8Array, place: number, what: string): MaybePromise<void> {
    if (place + target.length > this.superblock.size) throw this.corrupt(`${what} lies past the end, at byte ${place}`);
    return super.read(target, place, what);
  }

  async #loadMetadata(place: number, what: string): Promise<MetadataBlock> {
    const room = this.superblock.size - place;
    if (!(room > 2)) throw this.corrupt(`${what} lies past the end`);
    const stored = new Uint8Array(Math.min(room, metadataLength + 2));
    await this.read(stored, place, what);
    const header = stored[0]! | (stored[1]! << 8);
    const length = header & (metadataPlain - 1);
    if (length === 0 || length + 2 > stored.length) throw this.corrupt(`${what} has ${length} bytes`);
    const packed = stored.subarray(2, 2 + length);
    const bytes = (header & metadataPlain) !== 0 ? packed : await this.#unpacked(packed, metadataLength, what);
    if (bytes.length === 0) throw this.corrupt(`${what} is empty`);
    return { bytes, next: place + 2 + length };
  }

  async #loadData({ place, length, isPlain }: StoredBlock, limit: number, what: string): Promise<Uint8Array> {
    if (length > limit) throw this.corrupt(`${what} has ${length} bytes, and may have ${limit}`);
    const stored = new Uint8Array(length);
    await this.read(stored, place, what);
    return isPlain ? stored : await this.#unpacked(stored, limit, what);
  }

  async #unpacked(packed: Uint8Array, limit: number, what: string): Promise<Uint8Array> {
    try {
      return await this.#unpack(packed, limit);
    } catch (cause) {
      const why = `${what} cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw isVarveError(cause, 'UNSUPPORTED') ? this.unsupported(why, { cause }) : this.corrupt(why, { cause });
    }
  }
}
