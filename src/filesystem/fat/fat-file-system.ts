import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type {
  DeviceRange,
  FileExtent,
  FileStat,
  FileSystem,
  FileSystemIdentity,
  FileSystemUsage,
} from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import type { AllocationTable } from './allocation-table.ts';
import type { FatLayout } from './boot-sector.ts';
import { ClusterChain } from './cluster-chain.ts';
import { attributes, decodeEntry, entryLength, type FatEntry } from './directory-entry.ts';
import {
  chainStretches,
  type DirectoryStretch,
  type NamedEntry,
  readFatDirectory,
  rootStretches,
} from './fat-directory.ts';

/** The root directory has no entry, and entry 1 lies in the boot sector: the number that Linux shows for it. */
const rootNode = 1;

/** What a FAT file system is made of. */
export interface FatParts {
  readonly device: BlockDevice;
  readonly layout: FatLayout;
  readonly table: AllocationTable;
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  /** The disk's name in errors. */
  readonly name: string;
}

/** A file's first cluster, 0 for an empty one, and its length in bytes. */
interface FileContent {
  readonly chain: ClusterChain | undefined;
  readonly size: number;
}

/** A FAT file system that is open. Nodes are the numbers of directory entries, counted from the device's start. */
export class FatFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root = rootNode;
  readonly #device: BlockDevice;
  readonly #layout: FatLayout;
  readonly #table: AllocationTable;
  readonly #name: string;
  #last: { readonly node: number; readonly content: FileContent } | undefined;

  constructor(parts: FatParts) {
    ({ device: this.#device, layout: this.#layout, table: this.#table, name: this.#name } = parts);
    ({ identity: this.identity, isClean: this.isClean } = parts);
  }

  async stat(node: number): Promise<FileStat> {
    const entry = node === rootNode ? rootEntry : await this.#entry(node);
    const isDirectory = (entry.attributes & attributes.directory) !== 0;
    const { clusterSize } = this.#layout;
    const allocated = isDirectory
      ? await this.#directoryLength(node)
      : Math.ceil(entry.size / clusterSize) * clusterSize;
    const { accessed, modified, created } = entry;
    return {
      ...{ inode: node, kind: isDirectory ? 'directory' : 'file', links: 1, uid: 0, gid: 0, allocated },
      mode: (entry.attributes & attributes.readOnly) === 0 ? 0o755 : 0o555,
      size: isDirectory ? allocated : entry.size,
      ...{ accessed, modified, changed: modified, created },
    };
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const wanted = new TextDecoder().decode(name).toUpperCase();
    for await (const entry of this.readDirectory(directory)) {
      const shown = new TextDecoder().decode(entry.name);
      if (shown.toUpperCase() === wanted || entry.shortName.toUpperCase() === wanted) return entry.node;
    }
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<NamedEntry> {
    yield* readFatDirectory(this.#device, this.#stretches(directory));
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    const { size } = await this.#content(node);
    const length = Math.max(0, Math.min(target.length, size - offset));
    let done = 0;
    while (done < length) {
      const run = await this.#run(node, offset + done, length - done);
      await readInside(this.#device, target.subarray(done, done + run.length), run.place, this.#at(node));
      done += run.length;
    }
    return done;
  }

  readLink(node: number): Promise<never> {
    return Promise.reject(new VarveError('INVALID', `${this.#at(node)} is no symlink: FAT has none`));
  }

  extendedAttributes(): Promise<ReadonlyMap<string, Uint8Array>> {
    return Promise.resolve(new Map());
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    const { size } = await this.#content(node);
    for (let offset = 0; offset < size; ) {
      const { length, place } = await this.#run(node, offset, size - offset);
      yield { offset, length, kind: 'data', place };
      offset += length;
    }
  }

  async usage(): Promise<FileSystemUsage> {
    let free = 0;
    for await (const { count } of this.#table.freeRuns()) free += count * this.#layout.clusterSize;
    return { size: this.#layout.clusterCount * this.#layout.clusterSize, free };
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {
    const { clusterSize, dataOffset } = this.#layout;
    for await (const { cluster, count } of this.#table.freeRuns()) {
      yield { offset: dataOffset + (cluster - 2) * clusterSize, length: count * clusterSize };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Where the bytes from `offset` on are, as far as they are in one piece, at most `length`. */
  async #run(node: number, offset: number, length: number): Promise<{ length: number; place: number }> {
    const { clusterSize } = this.#layout;
    const { chain, size } = await this.#content(node);
    const index = Math.floor(offset / clusterSize);
    const cluster = await chain?.at(index);
    if (chain === undefined || cluster === undefined) {
      throw new VarveError('CORRUPT', `cannot read ${this.#at(node)}: its clusters end before its ${size} bytes do`);
    }
    let end = (index + 1) * clusterSize;
    for (let count = 1; end < offset + length; count++, end += clusterSize) {
      if ((await chain.at(index + count)) !== cluster + count) break;
    }
    return { length: Math.min(length, end - offset), place: chain.placeOf(cluster) + (offset % clusterSize) };
  }

  async *#stretches(directory: number): AsyncGenerator<DirectoryStretch> {
    if (directory === rootNode) {
      yield* rootStretches(this.#layout, this.#table, this.#name);
      return;
    }
    const { chain } = await this.#content(directory, 'directory');
    if (chain !== undefined) yield* chainStretches(chain, this.#layout);
  }

  async #directoryLength(directory: number): Promise<number> {
    let length = 0;
    for await (const stretch of this.#stretches(directory)) length += stretch.length;
    return length;
  }

  async #content(node: number, kind: 'file' | 'directory' = 'file'): Promise<FileContent> {
    const entry = node === rootNode ? rootEntry : await this.#entry(node);
    const isDirectory = (entry.attributes & attributes.directory) !== 0;
    if (isDirectory !== (kind === 'directory')) {
      throw new VarveError('INVALID', `${this.#at(node)} is ${isDirectory ? 'a directory' : 'no directory'}`);
    }
    if (this.#last?.node === node) return this.#last.content;
    const { firstCluster: first } = entry;
    const chain = first === 0 ? undefined : new ClusterChain(this.#table, this.#layout, first, this.#at(node));
    const content = { chain, size: entry.size };
    this.#last = { node, content };
    return content;
  }

  async #entry(node: number): Promise<FatEntry> {
    const offset = node * entryLength;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + entryLength > this.#layout.size) {
      throw new VarveError('INVALID', `${this.#name}: no file has the number ${node}`);
    }
    const bytes = new Uint8Array(entryLength);
    await readInside(this.#device, bytes, offset, this.#at(node));
    return decodeEntry(bytes, this.#layout.width);
  }

  #at(node: number): string {
    return node === rootNode ? `${this.#name}: root directory` : `${this.#name}: entry at byte ${node * entryLength}`;
  }
}

const rootEntry: FatEntry = {
  ...{ attributes: attributes.directory, firstCluster: 0, size: 0 },
  ...{ accessed: undefined, modified: undefined, created: undefined },
};
