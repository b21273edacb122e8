import type { Steps } from '../../block/run-steps.ts';
import type { FileHoles } from '../file-holes.ts';
import { hostOffsetOf } from './cluster-entry.ts';
import type { ImageFile } from './image-file.ts';
import { copiedBit } from './layout.ts';

const twoTo32 = 0x1_0000_0000;
/** Entries that are written together: a sector of them. */
const groupSize = 64;

/** The active L1 table, in memory as it will be in the file after `write`. */
export class L1Table {
  readonly #image: ImageFile;
  #view: DataView;
  /** Groups of entries that have changed, by index. */
  readonly #dirty = new Set<number>();

  private constructor(image: ImageFile, view: DataView) {
    this.#image = image;
    this.#view = view;
  }

  /** Reads the table that the header points to; its place and length are checked already. */
  static *open(image: ImageFile): Steps<L1Table> {
    const bytes = new Uint8Array(image.header.l1Size * 8);
    if (bytes.length > 0) yield image.file.read(bytes, image.header.l1TableOffset);
    return new L1Table(image, new DataView(bytes.buffer));
  }

  /** How many entries there are. */
  get entryCount(): number {
    return this.#view.byteLength / 8;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** The table's bytes as they are now, to be looked at only. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer);
  }

  /** Where the L2 table of that index is in the file; 0 where there is none. */
  offsetOf(index: number): number {
    return hostOffsetOf(this.#view.getUint32(index * 8), this.#view.getUint32(index * 8 + 4));
  }

  /** Whether the L2 table belongs to this L1 table alone. */
  isExclusive(index: number): boolean {
    return this.#view.getUint32(index * 8) >= copiedBit;
  }

  /**
   * Leaves out, in memory, the L2 tables that lie in holes of the file: nothing is allocated there. For images that are
   * only read.
   */
  leaveOutEmpty(holes: FileHoles): void {
    const { clusterSize, file } = this.#image;
    for (let index = 0; index < this.entryCount; index += 1) {
      const offset = this.offsetOf(index);
      if (offset === 0 || offset % clusterSize !== 0 || offset + clusterSize > file.size) continue;
      if (holes.has(offset, clusterSize)) this.#view.setBigUint64(index * 8, 0n);
    }
  }

  /** Points to an L2 table at byte `offset` that belongs to this table alone; 0 to none. */
  set(index: number, offset: number): void {
    const high = Math.floor(offset / twoTo32) + (offset === 0 ? 0 : copiedBit);
    this.#view.setUint32(index * 8, high);
    this.#view.setUint32(index * 8 + 4, offset % twoTo32);
    this.#dirty.add(Math.floor(index / groupSize));
  }

  /** Says of all L2 tables that they are shared from now on. */
  share(): void {
    for (let index = 0; index < this.entryCount; index += 1) {
      if (!this.isExclusive(index)) continue;
      this.#view.setUint32(index * 8, this.#view.getUint32(index * 8) - copiedBit);
      this.#dirty.add(Math.floor(index / groupSize));
    }
  }

  /** Takes the content of another table, of as many entries as the header says that there are now. */
  replace(bytes: Uint8Array): void {
    this.#view = new DataView(bytes.slice().buffer);
    this.#dirty.clear();
  }

  /** Writes what has changed, without flushing; it counts as changed until `settle`. */
  *write(): Steps {
    const { file, header } = this.#image;
    for (const group of this.#dirty) {
      const start = group * groupSize * 8;
      const bytes = this.bytes.subarray(start, start + groupSize * 8);
      yield file.write(bytes, header.l1TableOffset + start);
    }
  }

  /** What was written is durable. */
  settle(): void {
    this.#dirty.clear();
  }
}
