import { type InodeContext, sealInode } from '../inode.ts';
import type { Ext4Volume } from '../volume.ts';

const linksOffset = 26;
const flagsOffset = 32;
const blockAreaOffset = 40;
const blockAreaLength = 60;
/** Of an inode, behind the block numbers. */
const restOffset = 100;
const extentHeader = Uint8Array.of(0x0a, 0xf3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0);
const [extentsFlag, inlineFlag] = [0x8_0000, 0x1000_0000];

/** The inodes of a file system, to be changed in the blocks that a journal has of them. */
export class InodeTable {
  readonly #volume: Ext4Volume;
  readonly #blocks: Map<number, Uint8Array>;
  /** Those of them that are its own; others may be read elsewhere. */
  readonly #own = new Map<number, Uint8Array>();

  constructor(volume: Ext4Volume, blocks: Map<number, Uint8Array>) {
    this.#volume = volume;
    this.#blocks = blocks;
  }

  /** Whether there can be an inode of this number. */
  has(number: number): boolean {
    return number >= 1 && number <= this.#volume.superblock.inodeCount;
  }

  /**
   * Changes the bytes of an inode, and has its checksum fit.
   *
   * @throws VarveError `CORRUPT` where a block of inodes is not on the disk
   */
  async edit<T>(number: number, change: (bytes: Uint8Array) => T): Promise<T> {
    const { blockSize, checksumSeed } = this.#volume.superblock;
    const bytes = await this.#bytes(number);
    const result = change(bytes);
    const context: InodeContext = { blockSize, checksumSeed, hasChecksums: this.#volume.hasChecksums };
    sealInode(bytes, number, context);
    return result;
  }

  /** Looks at the bytes of an inode. @throws VarveError as `edit` does */
  async read<T>(number: number, look: (bytes: Uint8Array) => T): Promise<T> {
    return look(await this.#bytes(number));
  }

  async #bytes(number: number): Promise<Uint8Array> {
    const { inodeSize, blockSize, inodesPerGroup } = this.#volume.superblock;
    const { inodeTable } = await this.#volume.groups.get(Math.floor((number - 1) / inodesPerGroup));
    const start = ((number - 1) % inodesPerGroup) * inodeSize;
    const block = await this.#block(inodeTable + Math.floor(start / blockSize), number);
    return block.subarray(start % blockSize, (start % blockSize) + inodeSize);
  }

  async #block(place: number, number: number): Promise<Uint8Array> {
    const known = this.#own.get(place);
    if (known !== undefined) return known;
    const page = await this.#volume.block(place, `inode ${number}`);
    const bytes = Uint8Array.from(new Uint8Array(page.buffer, page.byteOffset, page.byteLength));
    this.#own.set(place, bytes);
    this.#blocks.set(place, bytes);
    return bytes;
  }
}

/** Has an inode be another; its block numbers stay, which are known by ranges, unless they hold its content. */
export function putInode(bytes: Uint8Array, given: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const used = given.subarray(0, bytes.length);
  if (used.length < restOffset) return;
  bytes.set(used.subarray(0, blockAreaOffset));
  bytes.set(used.subarray(restOffset), restOffset);
  const flags = view.getUint32(flagsOffset, true);
  if ((flags & extentsFlag) !== 0) {
    if (view.getUint16(blockAreaOffset, true) !== 0xf30a) bytes.set(extentHeader, blockAreaOffset);
  } else if ((flags & inlineFlag) !== 0) {
    bytes.set(used.subarray(blockAreaOffset, blockAreaOffset + blockAreaLength), blockAreaOffset);
  }
}

/** Has an inode have more names, or fewer. @returns how many it has then */
export function addLinks(bytes: Uint8Array, count: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return setLinks(bytes, Math.min(0xffff, Math.max(0, view.getUint16(linksOffset, true) + count)));
}

/** Has an inode have as many names. */
export function setLinks(bytes: Uint8Array, links: number): number {
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).setUint16(linksOffset, links, true);
  return links;
}

/** Whether it is a directory. */
export function isDirectory(bytes: Uint8Array): boolean {
  return (bytes[1]! & 0xf0) === 0x40;
}

/** Whether its blocks are in a tree of extents. */
export function hasExtents(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (view.getUint32(flagsOffset, true) & extentsFlag) !== 0;
}
