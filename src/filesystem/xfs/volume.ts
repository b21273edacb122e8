import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import { decodeInode, type Inode } from './inode.ts';
import { headerProblem, type MetadataHeader } from './metadata-header.ts';
import type { Superblock } from './superblock.ts';

/** How many bytes of metadata are kept, how many inodes, and how many bytes of blocks that were put together. */
const cachedLength = 8 << 20;
const cachedInodes = 2048;
const cachedAssembled = 4 << 20;

/** What a block is expected to be. */
export interface ExpectedBlock {
  /** Names it in errors: `block 3 of directory 131`. */
  readonly what: string;
  readonly header: MetadataHeader;
  /** Where it begins, in blocks of the disk. */
  readonly block: number;
  /** The inode or allocation group whose it is. */
  readonly owner: number;
}

/** The blocks and inodes of an XFS file system, below its files. Blocks are counted from the start of the disk. */
export class XfsVolume extends FileSystemVolume {
  readonly superblock: Superblock;
  /** The blocks of directories that are longer than one of the disk, by fork and place. */
  readonly assembled = new LruMap<string, { readonly view: DataView; readonly block: number }>(cachedAssembled);
  readonly #pages: DevicePages;
  readonly #inodes = new LruMap<number, Inode>(cachedInodes);
  /** As what bytes were found to be in order; they are looked at again when they are read again. */
  readonly #verified = new WeakMap<DataView, string>();

  constructor(device: BlockDevice, superblock: Superblock, name: string) {
    super(device, name);
    this.superblock = superblock;
    this.#pages = new DevicePages({ device, name, capacity: Math.ceil(cachedLength / superblock.blockSize) });
  }

  /** `what` names it in errors: `block 3 of directory 131`. */
  block(block: number, what: string): MaybePromise<DataView> {
    const { blockSize } = this.superblock;
    this.checkRange(block, 1, what);
    return this.#pages.get(block * blockSize, blockSize, what);
  }

  /** Calls `problem` once for bytes that are taken for `what`, however often; what it returns is wrong with them. */
  verifyOnce(view: DataView, what: string, problem: () => string | undefined): void {
    if (this.#verified.get(view) === what) return;
    const found = problem();
    if (found !== undefined) throw this.corrupt(`${what} ${found}`);
    this.#verified.set(view, what);
  }

  /** Checks once what a block says of itself, where it says anything, and then what `problem` says of it. */
  verifyBlock(view: DataView, expected: ExpectedBlock, problem: () => string | undefined): void {
    this.verifyOnce(view, expected.what, () => this.#headerProblem(view, expected) ?? problem());
  }

  /**
   * The block of the disk that a number with its group in its upper bits stands for.
   *
   * @throws VarveError `CORRUPT` where `count` blocks from there on are not in one group
   */
  blockAt(number: number, count: number, what: string): number {
    const { groupBlockBits } = this.superblock;
    const group = Math.floor(number / 2 ** groupBlockBits);
    return this.blockInGroup(group, number % 2 ** groupBlockBits, { count, what });
  }

  /** Block `index` of a group. @throws VarveError `CORRUPT` where it, or the `count` from there on, are not in it */
  blockInGroup(
    group: number,
    index: number,
    { count, what }: { readonly count: number; readonly what: string },
  ): number {
    const { groupBlocks, groupCount } = this.superblock;
    if (group >= groupCount || index + count > groupBlocks) {
      throw this.corrupt(`${what} is said to be in block ${index} of allocation group ${group}, ${count} long`);
    }
    const block = group * groupBlocks + index;
    this.checkRange(block, count, what);
    return block;
  }

  /** @throws VarveError `CORRUPT` where blocks are not inside the file system */
  checkRange(block: number, count: number, what: string): void {
    const { blockCount } = this.superblock;
    if (block >= 0 && block + count <= blockCount) return;
    const blocks = count === 1 ? `block ${block}` : `blocks ${block} to ${block + count - 1}`;
    throw this.corrupt(`${what} is said to be in ${blocks}, and there are ${blockCount}`);
  }

  /** @throws VarveError `CORRUPT` */
  async inode(number: number): Promise<Inode> {
    const known = this.#inodes.get(number);
    if (known !== undefined) return known;
    const { inodeBits, inodeSize } = this.superblock;
    const what = `inode ${number}`;
    if (!Number.isSafeInteger(number) || number < 0) throw this.corrupt(`there is no ${what}`);
    const page = await this.block(this.blockAt(Math.floor(number / 2 ** inodeBits), 1, what), what);
    const start = page.byteOffset + (number % 2 ** inodeBits) * inodeSize;
    const inode = decodeInode(new DataView(page.buffer, start, inodeSize), number, this.superblock);
    if (typeof inode === 'string') throw this.corrupt(`${what} ${inode}`);
    this.#inodes.set(number, inode);
    return inode;
  }

  #headerProblem(view: DataView, { header, block, owner }: ExpectedBlock): string | undefined {
    const { version, metaUuid, blockSize } = this.superblock;
    if (version === 4) return undefined;
    return headerProblem(view, header, { uuid: metaUuid, place: block * blockSize, owner });
  }
}
