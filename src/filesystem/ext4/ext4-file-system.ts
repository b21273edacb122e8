import type { IntervalSet } from '../../bytes/interval-set.ts';
import type {
  DeviceRange,
  DirectoryEntry,
  FileExtent,
  FileStat,
  FileSystem,
  FileSystemChanges,
  FileSystemIdentity,
  FileSystemUsage,
} from '../file-system.ts';
import { checksumProblem, entriesIn, parentIn } from './directory.ts';
import { readAttributes } from './extended-attributes.ts';
import { nameKey } from './fast-commits/changed-files.ts';
import { extentsOf, findRun, inlineContent, readContent } from './file-content.ts';
import { freeRangesOf } from './free-space.ts';
import { type DirectoryBlocks, findByHash, nodeOf } from './hash-tree.ts';
import { type Inode, inodeFlags } from './inode.ts';
import { incompat } from './superblock.ts';
import { usageOf } from './usage.ts';
import type { Ext4Volume } from './volume.ts';

const rootInode = 2;
/** Longer symlinks are nobody's (PATH_MAX). */
const longestLink = 4096;
/** Directories of which the index, if there is one, orders names by other hashes, or is no tree of blocks. */
const withoutIndex = inodeFlags.encrypted | inodeFlags.inlineData | inodeFlags.ignoresCase;
/** Where names start in a directory that an inode holds in itself: the parent's number is before them. */
const inlineNames = 4;

/** An ext2, ext3 or ext4 file system that is open. Nodes are inode numbers. */
export class Ext4FileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root = rootInode;
  readonly #volume: Ext4Volume;

  constructor(volume: Ext4Volume, identity: FileSystemIdentity, isClean: boolean) {
    this.#volume = volume;
    this.identity = identity;
    this.isClean = isClean;
  }

  async stat(node: number): Promise<FileStat> {
    return (await this.#volume.inode(node)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const inode = await this.#inode(directory, 'directory');
    const changed = this.#volume.changed?.directories.get(directory);
    if (changed !== undefined) {
      const key = nameKey(name);
      if (changed.names.has(key) || changed.parent !== undefined) return changed.names.get(key)?.node;
    }
    if ((inode.flags & inodeFlags.index) !== 0 && (inode.flags & withoutIndex) === 0) {
      const found = await findByHash(this.#volume, inode, name, this.#blocksOf(inode));
      if (found !== 'no index') return found;
    }
    for await (const entries of this.entryBatches(directory)) {
      const node = nodeOf(entries, name);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    for await (const entries of this.entryBatches(directory)) yield* entries;
  }

  async *entryBatches(directory: number): AsyncGenerator<readonly DirectoryEntry[]> {
    const inode = await this.#inode(directory, 'directory');
    const changed = this.#volume.changed?.directories.get(directory);
    if (changed === undefined) return yield* this.#storedBatches(inode);
    if (changed.parent === undefined) {
      for await (const entries of this.#storedBatches(inode)) {
        yield entries.filter(({ name }) => !changed.names.has(nameKey(name)));
      }
    }
    yield [...changed.names.values()].filter((entry) => entry !== undefined);
  }

  async *#storedBatches(inode: Inode): AsyncGenerator<readonly DirectoryEntry[]> {
    const inline = inlineContent(this.#volume, inode);
    if (inline === undefined) return yield* this.#entriesInBlocks(inode);
    const options = this.#entriesOptions(`directory ${inode.number}`);
    const own = inode.blockArea.length;
    yield entriesIn(inline.subarray(inlineNames, own), options);
    yield entriesIn(inline.subarray(own), options);
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await readContent(this.#volume, await this.#inode(node, 'file'), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const inode = await this.#inode(node, 'symlink');
    const { size, allocated } = inode.stat;
    if (size > longestLink) throw this.#volume.corrupt(`the symlink at inode ${node} has ${size} bytes`);
    const attributes = inode.attributeBlock === 0 ? 0 : this.#clusterSize();
    const isInline = (inode.flags & (inodeFlags.inlineData | inodeFlags.extents)) === 0;
    if (isInline && size < inode.blockArea.length && allocated <= attributes) return inode.blockArea.slice(0, size);
    const target = new Uint8Array(size);
    await readContent(this.#volume, inode, target, 0);
    return target;
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    const inode = await this.#volume.inode(node);
    return await readAttributes(this.#volume, inode, async (valueNode, size) => {
      const value = new Uint8Array(size);
      const length = await readContent(this.#volume, await this.#volume.inode(valueNode), value, 0);
      if (length === size) return value;
      throw this.#volume.corrupt(`an attribute of inode ${node} has ${size} bytes, and inode ${valueNode} ${length}`);
    });
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    yield* extentsOf(this.#volume, await this.#inode(node, 'file'));
  }

  usage(): Promise<FileSystemUsage> {
    return usageOf(this.#volume);
  }

  freeRanges(): AsyncIterable<DeviceRange> {
    return freeRangesOf(this.#volume);
  }

  async changesSince(earlier: FileSystem, ranges: IntervalSet): Promise<FileSystemChanges | undefined> {
    if (!(earlier instanceof Ext4FileSystem)) return undefined;
    // What fast commits say is not in blocks that could differ.
    if (this.#volume.changed !== undefined || earlier.#volume.changed !== undefined) return undefined;
    const { ext4ChangesSince } = await import('./changes/changes-since.ts');
    return await ext4ChangesSince(this.#volume, earlier.#volume, ranges);
  }

  async *likelyParents(file: number): AsyncGenerator<number> {
    const { likelyParents } = await import('./changes/likely-parents.ts');
    yield* likelyParents(this.#volume, file);
  }

  async parent(directory: number): Promise<number> {
    const inode = await this.#inode(directory, 'directory');
    const { blockArea } = inode;
    const made = this.#volume.changed?.directories.get(directory)?.parent;
    if (made !== undefined) return made;
    if (inlineContent(this.#volume, inode) !== undefined) {
      return new DataView(blockArea.buffer, blockArea.byteOffset).getUint32(0, true);
    }
    const { kind, block } = await findRun(this.#volume, inode, 0, 1);
    const parent = kind === 'data' ? parentIn(await this.#directoryBlock(inode, block)) : undefined;
    if (parent !== undefined) return parent;
    throw this.#volume.corrupt(`directory ${directory} does not say what it is in`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async *#entriesInBlocks(inode: Inode): AsyncGenerator<readonly DirectoryEntry[]> {
    const { blockSize } = this.#volume.superblock;
    const blockCount = Math.ceil(inode.stat.size / blockSize);
    const options = this.#entriesOptions(`directory ${inode.number}`);
    for (let index = 0; index < blockCount; ) {
      const { kind, block, count } = await findRun(this.#volume, inode, index, blockCount - index);
      for (let next = 0; next < count && kind === 'data'; next++) {
        yield entriesIn(await this.#directoryBlock(inode, block + next), options);
      }
      index += count;
    }
  }

  #blocksOf(inode: Inode): DirectoryBlocks {
    const place = async (index: number): Promise<number> => {
      const { kind, block } = await findRun(this.#volume, inode, index, 1);
      if (kind === 'data') return block;
      throw this.#volume.corrupt(`block ${index} of directory ${inode.number} is not there`);
    };
    const options = this.#entriesOptions(`directory ${inode.number}`);
    return {
      indexBlock: async (index) => {
        const block = await place(index);
        return await this.#volume.block(block, `block ${block} of directory ${inode.number}`);
      },
      findIn: async (index, name) =>
        nodeOf(entriesIn(await this.#directoryBlock(inode, await place(index)), options), name),
    };
  }

  async #directoryBlock(inode: Inode, number: number): Promise<Uint8Array> {
    const what = `block ${number} of directory ${inode.number}`;
    const block = await this.#volume.block(number, what);
    const { hasChecksums } = this.#volume;
    this.#volume.verifyOnce(block, what, () => (hasChecksums ? checksumProblem(block, inode.checksumSeed) : undefined));
    return new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  }

  #entriesOptions(what: string): Parameters<typeof entriesIn>[1] {
    return {
      hasFileType: (this.#volume.superblock.incompat & incompat.fileType) !== 0,
      corrupt: (why) => this.#volume.corrupt(`${what} has ${why}`),
    };
  }

  #clusterSize(): number {
    const { blockSize, blocksPerCluster } = this.#volume.superblock;
    return blockSize * blocksPerCluster;
  }

  async #inode(node: number, kind: FileStat['kind']): Promise<Inode> {
    const inode = await this.#volume.inode(node);
    if (inode.stat.kind === kind) return inode;
    throw this.#volume.invalid(`inode ${node} is a ${inode.stat.kind}, and no ${kind}`);
  }
}
