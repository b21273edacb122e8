import { isEqual } from '../../bytes/is-equal.ts';
import type {
  DeviceRange,
  DirectoryEntry,
  FileExtent,
  FileKind,
  FileStat,
  FileSystem,
  FileSystemIdentity,
  FileSystemUsage,
} from '../file-system.ts';
import { entriesIn } from './directory.ts';
import { readAttributes } from './extended-attributes.ts';
import { type ErofsFile, extentsOf, readContent } from './file-content.ts';
import type { ErofsVolume } from './volume.ts';

/** Longer symlinks are nobody's (PATH_MAX). */
const longestLink = 4096;

/** An EROFS that is open. Nodes are the numbers of inodes (nid). */
export class ErofsFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean = true;
  readonly root: number;
  readonly #volume: ErofsVolume;

  constructor(volume: ErofsVolume, identity: FileSystemIdentity) {
    this.#volume = volume;
    this.identity = identity;
    this.root = volume.superblock.rootNode;
  }

  async stat(node: number): Promise<FileStat> {
    return (await this.#volume.inode(node)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    for await (const entry of this.readDirectory(directory)) if (isEqual(entry.name, name)) return entry.node;
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    const file = await this.#file(directory, 'directory');
    const { blockSize } = this.#volume.superblock;
    const { size } = file.inode.stat;
    for (let offset = 0; offset < size; offset += blockSize) {
      const block = new Uint8Array(Math.min(blockSize, size - offset));
      await readContent(this.#volume, file, block, offset);
      yield* entriesIn(block, (why) => this.#volume.corrupt(`directory ${directory} has ${why}, at byte ${offset}`));
    }
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await readContent(this.#volume, await this.#file(node, 'file'), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const file = await this.#file(node, 'symlink');
    const { size } = file.inode.stat;
    if (size > longestLink) throw this.#volume.corrupt(`the symlink at inode ${node} has ${size} bytes`);
    const target = new Uint8Array(size);
    await readContent(this.#volume, file, target, 0);
    return target;
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    return await readAttributes(this.#volume, node, await this.#volume.inode(node));
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    yield* extentsOf(this.#volume, await this.#file(node, 'file'));
  }

  usage(): Promise<FileSystemUsage> {
    return Promise.resolve({ size: this.#volume.superblock.size, free: 0 });
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {}

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #file(node: number, kind: FileKind): Promise<ErofsFile> {
    const inode = await this.#volume.inode(node);
    if (inode.stat.kind === kind) return { node, inode };
    throw this.#volume.invalid(`inode ${node} is a ${inode.stat.kind}, and no ${kind}`);
  }
}
