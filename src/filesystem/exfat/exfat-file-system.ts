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
import { nameFromUtf16, utf16FromName } from '../utf16-name.ts';
import { freeRuns } from './allocation-bitmap.ts';
import type { Allocation } from './cluster-chain.ts';
import { type EntrySet, entryLength, entryTypes, mayHaveName, setLength } from './entry-set.ts';
import { entriesOf, type PlacedEntries, setOf } from './exfat-directory.ts';
import type { ExfatVolume } from './exfat-volume.ts';
import { decodeTimes } from './timestamp.ts';
import { decodeUpcaseTable, isSameName, longestUpcaseTable, nameHash, type UpcaseTable } from './upcase-table.ts';

/** The root directory has no entry, and entry 1 lies in the boot sector: the number that Linux shows for it. */
const rootNode = 1;

/** What the root directory says of the whole. */
export interface ExfatRoot {
  readonly bitmap: Allocation;
  readonly upcaseTable: Allocation & { readonly checksum: number };
}

/** An exFAT file system that is open. Nodes are the numbers of File entries, counted from the device's start. */
export class ExfatFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root = rootNode;
  readonly #volume: ExfatVolume;
  readonly #tables: ExfatRoot;
  /** Where the entries are of sets that lie in clusters that do not follow each other; few, one a cluster at most. */
  readonly #scattered = new Map<number, readonly number[]>();
  #upcase: Promise<UpcaseTable> | undefined;
  #last: { readonly node: number; readonly set: EntrySet } | undefined;

  constructor(volume: ExfatVolume, identity: FileSystemIdentity, tables: ExfatRoot) {
    this.#volume = volume;
    this.identity = identity;
    this.isClean = !volume.layout.isSuspect;
    this.#tables = tables;
  }

  async stat(node: number): Promise<FileStat> {
    const plain = { inode: node, links: 1, uid: 0, gid: 0, mode: 0o755 };
    if (node === rootNode) {
      const size = await this.#rootLength();
      return { ...plain, kind: 'directory', size, allocated: size };
    }
    const set = await this.#set(node);
    const { clusterSize } = this.#volume.layout;
    const { created, modified, accessed } = decodeTimes(set.fileEntry);
    return {
      ...{ ...plain, kind: set.isDirectory ? 'directory' : 'file', size: set.size },
      mode: set.isReadOnly && !set.isDirectory ? 0o555 : 0o755,
      allocated: Math.ceil(set.size / clusterSize) * clusterSize,
      ...{ accessed, modified, changed: modified, created },
    };
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const wanted = utf16FromName(name);
    const allocation = await this.#directory(directory);
    if (wanted === undefined || wanted.length === 0) return undefined;
    this.#upcase ??= this.#readUpcaseTable();
    const table = await this.#upcase;
    const hash = nameHash(table, wanted);
    for await (const entries of entriesOf(this.#volume, allocation, this.#at(directory))) {
      if (entries.bytes[0] !== entryTypes.file || !mayHaveName(entries.bytes, wanted.length, hash)) continue;
      if (isSameName(table, setOf(this.#volume, entries).name, wanted)) return this.#nodeOf(entries);
    }
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    const allocation = await this.#directory(directory);
    for await (const entries of entriesOf(this.#volume, allocation, this.#at(directory))) {
      if (entries.bytes[0] !== entryTypes.file) continue;
      const set = setOf(this.#volume, entries);
      const name = nameFromUtf16(set.name);
      if (isDots(name)) continue;
      yield { name, node: this.#nodeOf(entries), kind: set.isDirectory ? 'directory' : 'file' };
    }
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    const set = await this.#set(node, 'file');
    const length = Math.max(0, Math.min(target.length, set.size - offset));
    const written = Math.max(0, Math.min(length, set.validLength - offset));
    const chain = this.#volume.chain(allocationOf(set), this.#at(node));
    await this.#volume.readChain(chain, target.subarray(0, written), offset, this.#at(node));
    target.fill(0, written, length);
    return length;
  }

  readLink(node: number): Promise<never> {
    return Promise.reject(this.#volume.invalid(`${this.#at(node)} is no symlink: exFAT has none`));
  }

  extendedAttributes(): Promise<ReadonlyMap<string, Uint8Array>> {
    return Promise.resolve(new Map());
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    const set = await this.#set(node, 'file');
    const chain = this.#volume.chain(allocationOf(set), this.#at(node));
    for (let offset = 0; offset < set.size; ) {
      const isData = offset < set.validLength;
      const run = await chain.run(offset, (isData ? set.validLength : set.size) - offset);
      if (run === undefined) throw this.#volume.corrupt(`the clusters of ${this.#at(node)} end before it does`);
      yield { offset, length: run.length, kind: isData ? 'data' : 'zero', place: run.offset };
      offset += run.length;
    }
  }

  async usage(): Promise<FileSystemUsage> {
    const { clusterCount, clusterSize } = this.#volume.layout;
    let free = 0;
    for await (const { length } of this.freeRanges()) free += length;
    return { size: clusterCount * clusterSize, free };
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {
    const { clusterSize, heapOffset } = this.#volume.layout;
    for await (const { start, count } of freeRuns(this.#volume, this.#tables.bitmap)) {
      yield { offset: heapOffset + start * clusterSize, length: count * clusterSize };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #directory(node: number): Promise<Allocation> {
    if (node === rootNode) return rootAllocation(this.#volume);
    return allocationOf(await this.#set(node, 'directory'));
  }

  async #rootLength(): Promise<number> {
    const { clusterSize, clusterCount } = this.#volume.layout;
    const chain = this.#volume.chain(rootAllocation(this.#volume), this.#at(rootNode));
    let length = 0;
    for (;;) {
      const run = await chain.run(length, clusterCount * clusterSize);
      if (run === undefined) return length;
      length += run.length;
    }
  }

  async #set(node: number, kind?: FileKind): Promise<EntrySet> {
    if (node === rootNode) throw this.#volume.invalid('the root directory is no file');
    const set = this.#last?.node === node ? this.#last.set : await this.#readSet(node);
    this.#last = { node, set };
    if (kind === undefined || set.isDirectory === (kind === 'directory')) return set;
    throw this.#volume.invalid(`${this.#at(node)} is ${set.isDirectory ? 'a directory' : 'no directory'}`);
  }

  async #readSet(node: number): Promise<EntrySet> {
    const place = node * entryLength;
    if (!Number.isSafeInteger(place) || place < this.#volume.layout.heapOffset || place >= this.#volume.layout.size) {
      throw this.#volume.invalid(`no file has the number ${node}`);
    }
    const first = new Uint8Array(entryLength);
    await this.#volume.read(first, place, this.#at(node));
    const bytes = new Uint8Array(setLength(first, 0));
    const places = this.#scattered.get(node);
    if (places === undefined) await this.#volume.read(bytes, place, this.#at(node));
    for (const [index, entry] of places?.entries() ?? []) {
      const target = bytes.subarray(index * entryLength, (index + 1) * entryLength);
      await this.#volume.read(target, entry, this.#at(node));
    }
    return setOf(this.#volume, { bytes, place, places });
  }

  async #readUpcaseTable(): Promise<UpcaseTable> {
    const { upcaseTable } = this.#tables;
    const what = 'the up-case table';
    const length = upcaseTable.length!;
    if (length > longestUpcaseTable) throw this.#volume.corrupt(`${what} has ${length} bytes`);
    const bytes = new Uint8Array(length);
    await this.#volume.readChain(this.#volume.chain(upcaseTable, what), bytes, 0, what);
    const table = decodeUpcaseTable(bytes, upcaseTable.checksum);
    if (table === undefined) throw this.#volume.corrupt(`${what} does not fit its checksum`);
    return table;
  }

  #nodeOf({ place, places }: PlacedEntries): number {
    const node = place / entryLength;
    if (places !== undefined) this.#scattered.set(node, places);
    return node;
  }

  #at(node: number): string {
    return node === rootNode ? 'the root directory' : `the file whose entry is at byte ${node * entryLength}`;
  }
}

/** Where the root directory is. */
export function rootAllocation(volume: ExfatVolume): Allocation {
  return { firstCluster: volume.layout.rootCluster, length: undefined, isContiguous: false };
}

function allocationOf({ firstCluster, size, isContiguous }: EntrySet): Allocation {
  return { firstCluster, length: size, isContiguous };
}

function isDots(name: Uint8Array): boolean {
  return name.length <= 2 && name.every((byte) => byte === 0x2e);
}
