import { asStored, chained } from '../checksum.ts';
import type { Ext4Volume } from '../volume.ts';

/** Which inodes are in use, by the bitmaps of their groups, read when they are asked for. */
export class UsedInodes {
  readonly #volume: Ext4Volume;
  readonly #bitmaps = new Map<number, Uint8Array | undefined>();

  constructor(volume: Ext4Volume) {
    this.#volume = volume;
  }

  /** @throws VarveError `CORRUPT` */
  async has(number: number): Promise<boolean> {
    const { inodesPerGroup } = this.#volume.superblock;
    const index = (number - 1) % inodesPerGroup;
    const bitmap = await this.#bitmap(Math.floor((number - 1) / inodesPerGroup));
    return bitmap !== undefined && (bitmap[index >> 3]! & (1 << (index & 7))) !== 0;
  }

  /** The numbers of those in a group, in order. @throws VarveError `CORRUPT` */
  async *inGroup(group: number): AsyncGenerator<number> {
    const { inodesPerGroup } = this.#volume.superblock;
    const bitmap = await this.#bitmap(group);
    if (bitmap === undefined) return;
    for (let index = 0; index < inodesPerGroup; index++) {
      if ((bitmap[index >> 3]! & (1 << (index & 7))) !== 0) yield group * inodesPerGroup + index + 1;
    }
  }

  async #bitmap(group: number): Promise<Uint8Array | undefined> {
    if (!this.#bitmaps.has(group)) this.#bitmaps.set(group, await this.#read(group));
    return this.#bitmaps.get(group);
  }

  async #read(group: number): Promise<Uint8Array | undefined> {
    const { inodesPerGroup, checksumSeed, descriptorSize } = this.#volume.superblock;
    const { hasInodeBitmap, inodeBitmap, inodeBitmapChecksum } = await this.#volume.groups.get(group);
    if (!hasInodeBitmap) return undefined;
    const what = `the inode bitmap of group ${group}`;
    const block = await this.#volume.block(inodeBitmap, what);
    const bytes = new Uint8Array(block.buffer, block.byteOffset, Math.ceil(inodesPerGroup / 8));
    this.#volume.verifyOnce(block, what, () => {
      if (!this.#volume.hasChecksums) return undefined;
      const sum = asStored(chained(checksumSeed, bytes));
      return (descriptorSize >= 64 ? sum : sum & 0xffff) === inodeBitmapChecksum
        ? undefined
        : 'does not fit its checksum';
    });
    return bytes;
  }
}
