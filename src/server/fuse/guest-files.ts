import { LruMap } from '../../base/lru.ts';
import type { FileStat, FileSystemUsage, Timestamp } from '../../filesystem/file-system.ts';
import type { FuseEntry, FuseName } from '../../linux/fuse/directory-codec.ts';
import type { FuseListing, FuseOperations, FuseTree, MaybePromise } from '../../linux/fuse/fuse-operations.ts';
import type { FuseAttributes, FuseStatistics } from '../../linux/fuse/reply-codec.ts';
import { DirectoryListing } from '../guest-tree/directory-listing.ts';
import type { FilePlace, FileTree } from '../guest-tree/file-place.ts';
import { KeptAnswers } from '../guest-tree/kept-answers.ts';
import { kindBits } from '../guest-tree/kind-bits.ts';
import { DataRuns } from './data-runs.ts';
import { NodeNumbers } from './node-numbers.ts';

/** How many bytes of listings are kept, of other answers, and of how many directories it is known where they are. */
const keptListings = 32 << 20;
const keptOthers = 4 << 20;
const keptParents = 1 << 17;

/** As programs know them; what is no power of two of this kind says nothing of how a disk is best read. */
const blockSize = 4096;
const sectorSize = 512;

const directoryMode = kindBits.directory;
const typeMask = 0o170000;

/** How files are shown. */
export interface GuestFilesOptions {
  /** Whether modes and access control lists count; otherwise whoever mounts reads everything. */
  readonly checksAccess: boolean;
}

/** A file system of the files of a disk, to be read. What they are in stays the caller's. */
export function guestFiles(tree: FileTree, options: GuestFilesOptions): FuseOperations {
  return new GuestFiles(tree, options);
}

class GuestFiles implements FuseOperations, FuseTree {
  readonly tree: FuseTree = this;
  readonly checksAccess: boolean;
  readonly #numbers: NodeNumbers;
  readonly #listings = new KeptAnswers<DirectoryListing>(keptListings, ({ weight }) => weight);
  readonly #attributes = new KeptAnswers<ReadonlyMap<string, Uint8Array>>(keptOthers, weightOf);
  readonly #runs = new KeptAnswers<DataRuns>(keptOthers, ({ weight }) => weight);
  readonly #usages = new Map<FilePlace['fileSystem'], Promise<FileSystemUsage>>();
  /** The directories in which directories are. */
  readonly #parents = new LruMap<number, FilePlace>(keptParents);

  constructor(tree: FileTree, { checksAccess }: GuestFilesOptions) {
    this.#numbers = new NodeNumbers(tree);
    this.checksAccess = checksAccess;
  }

  async attributes(node: number): Promise<FuseAttributes> {
    return await this.#describe(this.#numbers.placeOf(node));
  }

  read(node: number, target: Uint8Array, offset: number): Promise<number> {
    const place = this.#numbers.placeOf(node);
    return place.fileSystem.read(place.node, target, offset);
  }

  async seek(node: number, offset: number, kind: 'data' | 'hole'): Promise<number | undefined> {
    const { fileSystem, node: own } = this.#numbers.placeOf(node);
    const runs = await this.#runs.get(node, async () => {
      const { size } = await fileSystem.stat(own);
      return await DataRuns.read(fileSystem.extents(own), size);
    });
    return runs.find(offset, kind);
  }

  async statistics(node: number): Promise<FuseStatistics> {
    const { fileSystem } = this.#numbers.placeOf(node);
    const counting = this.#usages.get(fileSystem) ?? fileSystem.usage();
    this.#usages.set(fileSystem, counting);
    const { free, size } = await counting;
    return { blockSize, blocks: Math.floor(size / blockSize), freeBlocks: Math.floor(free / blockSize) };
  }

  async lookup(directory: number, name: Uint8Array): Promise<FuseEntry | undefined> {
    const parent = this.#numbers.placeOf(directory);
    const { fileSystem, node } = parent;
    // Only the file system knows whether a name may be written otherwise, too.
    const found = this.#listings.known(directory)?.find(name) ?? (await fileSystem.lookup(node, name));
    return found === undefined ? undefined : await this.#entry({ fileSystem, node: found }, parent);
  }

  list(directory: number): MaybePromise<FuseListing> {
    const place = this.#numbers.placeOf(directory);
    const listing = this.#listings.get(directory, () => DirectoryListing.read(place.fileSystem, place.node));
    return listing instanceof Promise ? listing.then((names) => this.#show(place, names)) : this.#show(place, listing);
  }

  readLink(node: number): Promise<Uint8Array> {
    const { fileSystem, node: own } = this.#numbers.placeOf(node);
    return fileSystem.readLink(own);
  }

  extendedAttributes(node: number): MaybePromise<ReadonlyMap<string, Uint8Array>> {
    const { fileSystem, node: own } = this.#numbers.placeOf(node);
    return this.#attributes.get(node, async () => {
      const all = await fileSystem.extendedAttributes(own);
      // Root's alone: the kernel would list them and refuse to read them.
      return this.checksAccess ? all : new Map([...all].filter(([name]) => !name.startsWith('trusted.')));
    });
  }

  #show(directory: FilePlace, names: DirectoryListing): FuseListing {
    const { fileSystem } = directory;
    const dots = [encoded('.'), encoded('..')] as const;
    return {
      length: dots.length + names.length,
      nameLength: (index) => dots[index]?.length ?? names.nameLength(index - dots.length),
      at: (index) => {
        const dot = dots[index];
        if (dot !== undefined) return this.#dots(dot, index === 0 ? directory : this.#parentOf(directory));
        const place = { fileSystem, node: names.node(index - dots.length) };
        return this.#named(names.name(index - dots.length), place, directory);
      },
    };
  }

  async #named(name: Uint8Array, place: FilePlace, parent: FilePlace): Promise<FuseName> {
    try {
      return { name, entry: await this.#entry(place, parent) };
    } catch {
      // Whoever looks at it learns why.
      return { name, entry: undefined };
    }
  }

  async #dots(name: Uint8Array, place: FilePlace | undefined): Promise<FuseName> {
    if (place === undefined) return { name, entry: undefined };
    try {
      return { name, entry: { node: this.#numbers.numberOf(place), attributes: await this.#describe(place) } };
    } catch {
      return { name, entry: undefined };
    }
  }

  #parentOf(directory: FilePlace): FilePlace | undefined {
    if (this.#numbers.isRoot(directory)) return directory;
    return this.#parents.get(this.#numbers.numberOf(directory));
  }

  async #entry(place: FilePlace, parent: FilePlace): Promise<FuseEntry> {
    const shown = this.#numbers.visible(place);
    const attributes = await this.#describe(shown);
    const node = this.#numbers.numberOf(shown);
    if ((attributes.mode & typeMask) === directoryMode) this.#parents.set(node, parent);
    return { node, attributes };
  }

  async #describe(place: FilePlace): Promise<FuseAttributes> {
    const stat = await place.fileSystem.stat(place.node);
    const modified = stat.modified ?? epoch;
    return {
      inode: this.#numbers.inodeOf(place, stat.inode),
      size: stat.size,
      blocks: Math.ceil(stat.allocated / sectorSize),
      ...{ accessed: stat.accessed ?? modified, modified, changed: stat.changed ?? modified },
      mode: kindBits[stat.kind] + stat.mode,
      ...{ links: stat.links, uid: stat.uid, gid: stat.gid, device: deviceNumber(stat), blockSize },
    };
  }
}

const epoch: Timestamp = { seconds: 0, nanoseconds: 0 };

/** As the kernel passes it in 32 bits. Source: new_encode_dev in linux/kdev_t.h. */
function deviceNumber({ device }: FileStat): number {
  if (device === undefined) return 0;
  const { major, minor } = device;
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function weightOf(attributes: ReadonlyMap<string, Uint8Array>): number {
  let weight = 128;
  for (const [name, value] of attributes) weight += 64 + name.length + value.length;
  return weight;
}

function encoded(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}
