import { LruMap } from '../../base/lru.ts';
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
  NamedSubvolume,
} from '../file-system.ts';
import { type DirectoryItem, isName, namesIn } from './directory-item.ts';
import { readAttributes } from './extended-attributes.ts';
import { type BtrfsFile, FileContents } from './file-content.ts';
import type { Forest } from './forest.ts';
import { freeLengthOf, freeSpaceOf } from './free-space.ts';
import { decodeInode, type Inode } from './inode.ts';
import { itemTypes, largestOffset } from './key.ts';
import { nameHash } from './name-hash.ts';
import { namedSubvolumes } from './subvolume-paths.ts';
import type { Subvolume, Subvolumes } from './subvolumes.ts';

const keptInodes = 4096;
/** Linux has no longer symlinks (PATH_MAX), and no longer names, in bytes. */
const longestLink = 4096;
const longestName = 255;

/** What the name of a subvolume that is not there shows. */
const missingDirectory: FileStat = {
  ...{ inode: 2, kind: 'directory', mode: 0o755, links: 1, uid: 0, gid: 0, size: 0, allocated: 0 },
};

/** What an open file system is made of. */
export interface BtrfsParts {
  readonly forest: Forest;
  readonly subvolumes: Subvolumes;
  readonly identity: FileSystemIdentity;
  /** The subvolume that is the uppermost directory. */
  readonly top: Subvolume;
  readonly isClean: boolean;
}

/** A Btrfs that is open. Nodes are inode numbers with the subvolume they belong to above them. */
export class BtrfsFileSystem implements FileSystem {
  readonly identity: FileSystemIdentity;
  readonly isClean: boolean;
  readonly root: number;
  readonly #parts: BtrfsParts;
  readonly #forest: Forest;
  readonly #subvolumes: Subvolumes;
  readonly #contents: FileContents;
  readonly #inodes = new LruMap<number, Inode>(keptInodes);

  constructor(parts: BtrfsParts) {
    const { forest, subvolumes, identity, top, isClean } = parts;
    this.#parts = parts;
    this.#forest = forest;
    this.#subvolumes = subvolumes;
    this.#contents = new FileContents(forest);
    this.identity = identity;
    this.isClean = isClean;
    this.root = subvolumes.nodeOf(top, top.rootDirectory);
  }

  async stat(node: number): Promise<FileStat> {
    const place = this.#placeOf(node);
    if (place.subvolume === undefined) return missingDirectory;
    return (await this.#inode(node, place.subvolume, place.inode)).stat;
  }

  async lookup(directory: number, name: Uint8Array): Promise<number | undefined> {
    const { subvolume, inode } = this.#placeOf(directory);
    if (subvolume === undefined) return undefined;
    await this.#file(directory, 'directory');
    if (!isName(name) || name.length > longestName) return undefined;
    const key = { objectid: inode, type: itemTypes.directoryItem, offset: nameHash(name) };
    const item = await subvolume.tree.find(key);
    if (item === undefined) return undefined;
    for (const each of namesIn(item, this.#corruptDirectory(subvolume, inode))) {
      if (isEqual(each.name, name)) return await this.#nodeOf(subvolume, inode, each);
    }
    return undefined;
  }

  async *readDirectory(directory: number): AsyncGenerator<DirectoryEntry> {
    const { subvolume, inode } = this.#placeOf(directory);
    if (subvolume === undefined) return;
    await this.#file(directory, 'directory');
    const corrupt = this.#corruptDirectory(subvolume, inode);
    const from = { objectid: inode, type: itemTypes.directoryIndex, offset: 0 };
    for await (const { view } of subvolume.tree.items(from, { ...from, offset: largestOffset })) {
      for (const each of namesIn(view, corrupt)) {
        const { name, kind } = each;
        if (!isName(name)) throw corrupt('a name that cannot be one');
        yield { name, node: await this.#nodeOf(subvolume, inode, each), kind };
      }
    }
  }

  async read(node: number, target: Uint8Array, offset: number): Promise<number> {
    return await this.#contents.read(await this.#file(node, 'file'), target, offset);
  }

  async readLink(node: number): Promise<Uint8Array> {
    const file = await this.#file(node, 'symlink');
    const { size } = file.inode.stat;
    if (size > longestLink) {
      throw this.#forest.volume.corrupt(
        `the symlink at inode ${file.inode.number} of ${file.tree.name} has ${size} bytes`,
      );
    }
    const target = new Uint8Array(size);
    await this.#contents.read(file, target, 0);
    return target;
  }

  async extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>> {
    const { subvolume, inode } = this.#placeOf(node);
    if (subvolume === undefined) return new Map();
    return await readAttributes(subvolume.tree, inode, (why) => this.#forest.volume.corrupt(why));
  }

  async *extents(node: number): AsyncGenerator<FileExtent> {
    yield* this.#contents.extents(await this.#file(node, 'file'));
  }

  async usage(): Promise<FileSystemUsage> {
    return { size: this.identity.size, free: await freeLengthOf(this.#forest) };
  }

  async *freeRanges(): AsyncGenerator<DeviceRange> {
    for (const { offset, end } of await freeSpaceOf(this.#forest)) yield { offset, length: end - offset };
  }

  subvolumes(): AsyncIterable<NamedSubvolume> {
    return namedSubvolumes(this.#forest);
  }

  async subvolume(which: Partial<NamedSubvolume>): Promise<FileSystem | undefined> {
    const id = which.path === undefined ? which.id : await this.#idOf(which.path);
    const top = id === undefined || (which.id ?? id) !== id ? undefined : await this.#subvolumes.open(id);
    return top && new BtrfsFileSystem({ ...this.#parts, top });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #idOf(path: string): Promise<number | undefined> {
    const wanted = path.split('/').filter((name) => name !== '');
    for await (const { id, path: found } of this.subvolumes()) if (found === wanted.join('/')) return id;
    return undefined;
  }

  #placeOf(node: number): { readonly subvolume: Subvolume | undefined; readonly inode: number } {
    const place = this.#subvolumes.placeOf(node);
    if (place === undefined) throw this.#forest.volume.invalid(`there is no node ${node}`);
    return place;
  }

  async #inode(node: number, { tree }: Subvolume, number: number): Promise<Inode> {
    const known = this.#inodes.get(node);
    if (known !== undefined) return known;
    const { volume } = this.#forest;
    const item = await tree.find({ objectid: number, type: itemTypes.inode, offset: 0 });
    if (item === undefined) throw volume.corrupt(`there is no inode ${number} in ${tree.name}`);
    const inode = decodeInode(item, number, volume.superblock.sectorSize);
    if (typeof inode === 'string') throw volume.corrupt(`inode ${number} of ${tree.name} ${inode}`);
    this.#inodes.set(node, inode);
    return inode;
  }

  async #file(node: number, kind: FileKind): Promise<BtrfsFile> {
    const place = this.#placeOf(node);
    const { volume } = this.#forest;
    if (place.subvolume === undefined) throw volume.invalid(`node ${node} is a directory, and no ${kind}`);
    const inode = await this.#inode(node, place.subvolume, place.inode);
    if (inode.stat.kind === kind) return { tree: place.subvolume.tree, inode };
    throw volume.invalid(
      `inode ${inode.number} of ${place.subvolume.tree.name} is a ${inode.stat.kind}, and no ${kind}`,
    );
  }

  async #nodeOf(subvolume: Subvolume, directory: number, { name, location }: DirectoryItem): Promise<number> {
    if (location.type === itemTypes.inode) return this.#subvolumes.nodeOf(subvolume, location.objectid);
    if (location.type === itemTypes.root) {
      return await this.#subvolumes.enter(location.objectid, { parent: subvolume, directory, name });
    }
    throw this.#corruptDirectory(subvolume, directory)(`a name for an item of type ${location.type}`);
  }

  #corruptDirectory({ tree }: Subvolume, inode: number): (why: string) => Error {
    return (why) => this.#forest.volume.corrupt(`directory ${inode} of ${tree.name} has ${why}`);
  }
}
