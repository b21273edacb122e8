import { LruMap } from '../../base/lru.ts';
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
import { type DirectorySource, findName, listDirectory } from './directory.ts';
import { ExtendedAttributes } from './extended-attributes.ts';
import { FileContents, fileOf, type SquashfsFile } from './file-content.ts';
import { type DirectoryDetail, type Inode, readInode } from './inode.ts';
import { LookupTable } from './lookup-table.ts';
import { MetadataCursor, type MetadataTable, placeOf } from './metadata-cursor.ts';
import type { SquashfsVolume } from './volume.ts';

const cachedInodes = 2048;
const ownerLength = 4;

/** A squashfs that is open. Nodes are the references of inodes. */
export class SquashfsFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean = true;
  readonly root: number;
  readonly #volume: SquashfsVolume;
  readonly #inodeTable: MetadataTable;
  readonly #directoryTable: MetadataTable;
  readonly #owners: LookupTable;
  readonly #contents: FileContents;
  readonly #inodes = new LruMap<number, Inode>(cachedInodes);
  #attributes: Promise<ExtendedAttributes> | undefined;

  constructor(volume: SquashfsVolume, identity: FileSystemIdentity) {
    const { superblock } = volume;
    this.identity = identity;
    this.root = superblock.rootReference;
    this.#volume = volume;
    const { inodeTable, directoryTable, size, idTable: place, idCount: count } = superblock;
    this.#inodeTable = { start: inodeTable, end: directoryTable, title: 'inode table' };
    this.#directoryTable = { start: directoryTable, end: size, title: 'directory table' };
    this.#owners = new LookupTable(volume, { place, count, recordLength: ownerLength, record: 'owner' });
    this.#contents = new FileContents(volume, this.#inodeTable);
  }

  async stat(node: number): Promise<FileStat> {
    return (await this.#inode(node)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    return await findName(this.#source(directory), await this.#directory(directory), name);
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    yield* listDirectory(this.#source(directory), await this.#directory(directory));
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await this.#contents.read(await this.#file(node), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const { stat, detail } = await this.#inode(node);
    if (detail?.kind !== 'symlink') throw this.#wrongKind(node, stat, 'symlink');
    return detail.target.slice();
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    const { attributes } = await this.#inode(node);
    if (attributes === undefined) return new Map();
    const { attributeTable } = this.#volume.superblock;
    if (attributeTable === undefined) throw this.#volume.corrupt(`inode ${node} has attributes, and there are none`);
    this.#attributes ??= ExtendedAttributes.open(this.#volume, attributeTable);
    return await (await this.#attributes).get(attributes);
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    yield* this.#contents.extents(await this.#file(node));
  }

  usage(): Promise<FileSystemUsage> {
    return Promise.resolve({ size: this.#volume.superblock.size, free: 0 });
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {}

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #inode(node: number): Promise<Inode> {
    const known = this.#inodes.get(node);
    if (known !== undefined) return known;
    const inode = await readInode({
      cursor: new MetadataCursor(this.#volume, this.#inodeTable, placeOf(this.#inodeTable, node)),
      owner: async (index) => (await this.#owners.get(index)).getUint32(0, true),
      corrupt: (why) => this.#volume.corrupt(`the inode at reference ${node} ${why}`),
    });
    this.#inodes.set(node, inode);
    return inode;
  }

  async #directory(node: number): Promise<DirectoryDetail> {
    const { stat, detail } = await this.#inode(node);
    if (detail?.kind === 'directory') return detail;
    throw this.#wrongKind(node, stat, 'directory');
  }

  async #file(node: number): Promise<SquashfsFile> {
    const inode = await this.#inode(node);
    const file = fileOf(node, inode);
    if (file !== undefined) return file;
    throw this.#wrongKind(node, inode.stat, 'file');
  }

  #source(directory: number): DirectorySource {
    const tables = { inodeTable: this.#inodeTable, directoryTable: this.#directoryTable };
    return { volume: this.#volume, ...tables, title: `the directory at inode reference ${directory}` };
  }

  #wrongKind(node: number, { kind }: FileStat, wanted: FileKind): Error {
    return this.#volume.invalid(`the inode at reference ${node} is a ${kind}, and no ${wanted}`);
  }
}
