import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import type { ChangedFiles } from './fast-commits/changed-files.ts';
import { type GroupDescriptor, GroupDescriptors } from './group-descriptors.ts';
import { decodeInode, type Inode } from './inode.ts';
import { roCompat, type Superblock } from './superblock.ts';

/** How many bytes of metadata are kept, and how many inodes. */
const cachedLength = 8 << 20;
const cachedInodes = 2048;

/** The blocks and inodes of an ext4 file system, below its files. */
export class Ext4Volume extends FileSystemVolume {
  readonly superblock: Superblock;
  readonly groups: GroupDescriptors;
  readonly hasChecksums: boolean;
  /** What fast commits have changed; undefined where there are none. */
  readonly changed: ChangedFiles | undefined;
  readonly #pages: DevicePages;
  readonly #inodes = new LruMap<number, Inode>(cachedInodes);
  /** Blocks that were found to be in order; they are looked at again when they are read again. */
  readonly #verified = new WeakSet<DataView>();

  constructor(device: BlockDevice, superblock: Superblock, name: string, changed?: ChangedFiles) {
    super(device, name);
    this.changed = changed;
    this.superblock = superblock;
    this.hasChecksums = (superblock.roCompat & roCompat.metadataChecksums) !== 0;
    this.#pages = new DevicePages({ device, name, capacity: Math.ceil(cachedLength / superblock.blockSize) });
    this.groups = new GroupDescriptors(superblock, this.#pages, name);
  }

  /** Block `block` of the disk. `what` names it in errors: `block 3 of the tree of inode 12`. */
  block(block: number, what: string): MaybePromise<DataView> {
    const { blockSize } = this.superblock;
    this.checkRange(block, 1, what);
    return this.#pages.get(block * blockSize, blockSize, what);
  }

  /** Calls `problem` once for a block, however often that is used; what it returns is wrong with it. */
  verifyOnce(block: DataView, what: string, problem: () => string | undefined): void {
    if (this.#verified.has(block)) return;
    const found = problem();
    if (found !== undefined) throw this.corrupt(`${what} ${found}`);
    this.#verified.add(block);
  }

  /** @throws VarveError `CORRUPT` where blocks are not inside the file system */
  checkRange(block: number, count: number, what: string): void {
    const { firstDataBlock, blockCount } = this.superblock;
    if (block >= firstDataBlock && block + count <= blockCount) return;
    const blocks = count === 1 ? `block ${block}` : `blocks ${block} to ${block + count - 1}`;
    throw this.corrupt(`${what} is said to be in ${blocks}, and there are ${blockCount}`);
  }

  /** Hot: whoever lists a whole disk asks for every inode. @throws VarveError `CORRUPT` */
  inode(number: number): MaybePromise<Inode> {
    const known = this.#inodes.get(number);
    if (known !== undefined) return known;
    const { inodeCount, inodesPerGroup } = this.superblock;
    if (!(number >= 1 && number <= inodeCount)) throw this.corrupt(`there is no inode ${number}`);
    const group = this.groups.get(Math.floor((number - 1) / inodesPerGroup));
    return group instanceof Promise
      ? group.then((descriptor) => this.#inodeIn(descriptor, number))
      : this.#inodeIn(group, number);
  }

  #inodeIn({ inodeTable }: GroupDescriptor, number: number): MaybePromise<Inode> {
    const { inodesPerGroup, inodeSize, blockSize } = this.superblock;
    const start = ((number - 1) % inodesPerGroup) * inodeSize;
    const page = this.block(inodeTable + Math.floor(start / blockSize), `inode ${number}`);
    const offset = start % blockSize;
    return page instanceof Promise
      ? page.then((read) => this.#decoded(read, offset, number))
      : this.#decoded(page, offset, number);
  }

  #decoded(page: DataView, offset: number, number: number): Inode {
    const { blockSize, checksumSeed, inodeSize } = this.superblock;
    const bytes = new Uint8Array(page.buffer, page.byteOffset + offset, inodeSize);
    const inode = decodeInode(bytes, number, { blockSize, checksumSeed, hasChecksums: this.hasChecksums });
    if (typeof inode === 'string') throw this.corrupt(`inode ${number} ${inode}`);
    this.#inodes.set(number, inode);
    return inode;
  }
}
