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
import { entriesOf, findEntry, parentOf } from './directory.ts';
import { isDots } from './directory-entry.ts';
import { readAttributes } from './extended-attributes.ts';
import { extentsOf, readContent } from './file-content.ts';
import { freeRangesOf } from './free-space.ts';
import type { Inode } from './inode.ts';
import { bytesOf } from './metadata-header.ts';
import { readRemote } from './remote-value.ts';
import type { XfsVolume } from './volume.ts';

/** XFS has no longer symlinks (XFS_SYMLINK_MAXLEN), and no longer names, in bytes. */
const longestLink = 1024;
const longestName = 255;

/** An XFS file system that is open. Nodes are inode numbers. */
export class XfsFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root: number;
  readonly #volume: XfsVolume;

  constructor(volume: XfsVolume, identity: FileSystemIdentity, isClean: boolean) {
    this.#volume = volume;
    this.identity = identity;
    this.isClean = isClean;
    this.root = volume.superblock.rootInode;
  }

  async stat(node: number): Promise<FileStat> {
    return (await this.#volume.inode(node)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const inode = await this.#inode(directory, 'directory');
    if (name.length === 0 || name.length > longestName || isDots(name)) return undefined;
    return await findEntry(this.#volume, inode, name);
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    yield* entriesOf(this.#volume, await this.#inode(directory, 'directory'));
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await readContent(this.#volume, await this.#inode(node, 'file'), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const { data, stat } = await this.#inode(node, 'symlink');
    const { size } = stat;
    if (size > longestLink || (data.format === 'local' && size > data.view.byteLength)) {
      throw this.#volume.corrupt(`the symlink at inode ${node} has ${size} bytes`);
    }
    if (data.format === 'local') return bytesOf(data.view).slice(0, size);
    return await readRemote(this.#volume, data, { kind: 'symlink', index: 0, length: size });
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    return await readAttributes(this.#volume, await this.#volume.inode(node));
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    yield* extentsOf(this.#volume, await this.#inode(node, 'file'));
  }

  async usage(): Promise<FileSystemUsage> {
    const { blockCount, blockSize, logBlocks, logStart } = this.#volume.superblock;
    let free = 0;
    for await (const { length } of this.freeRanges()) free += length;
    return { size: blockCount * blockSize, free, overhead: logStart === 0 ? 0 : logBlocks * blockSize };
  }

  freeRanges(): AsyncIterable<DeviceRange> {
    return freeRangesOf(this.#volume, this.isClean);
  }

  async changesSince(earlier: FileSystem, ranges: IntervalSet): Promise<FileSystemChanges | undefined> {
    if (!(earlier instanceof XfsFileSystem)) return undefined;
    const { xfsChangesSince } = await import('./changes/changes-since.ts');
    return await xfsChangesSince(this.#volume, earlier.#volume, ranges);
  }

  async parent(directory: number): Promise<number> {
    return await parentOf(this.#volume, await this.#inode(directory, 'directory'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #inode(node: number, kind: FileStat['kind']): Promise<Inode> {
    const inode = await this.#volume.inode(node);
    if (inode.stat.kind === kind) return inode;
    throw this.#volume.invalid(`inode ${node} is a ${inode.stat.kind}, and no ${kind}`);
  }
}
