import { isEqual } from '../../bytes/is-equal.ts';
import { namesIn } from './directory-item.ts';
import type { Forest } from './forest.ts';
import { itemTypes, largestOffset, objectIds } from './key.ts';
import { nameHash } from './name-hash.ts';
import { decodeRootReference } from './root-item.ts';
import type { ItemTree } from './tree.ts';

/** Inodes are numbered one after the other, and no disk lives to see so many. */
const inodeLimit = 2 ** 36;
const mostPlaces = 2 ** 53 / inodeLimit;
/** Subvolumes with smaller numbers have these for their places, whatever else there is. */
const firstFreePlace = mostPlaces / 2;
const defaultName = new TextEncoder().encode('default');

/** A subvolume that was met. */
export interface Subvolume {
  readonly id: number;
  readonly tree: ItemTree;
  /** The inode of its uppermost directory. */
  readonly rootDirectory: number;
  /** What stands above its inodes in nodes. */
  readonly index: number;
}

/** A file in a subvolume; without one, the empty directory in the place of a subvolume that is not there. */
export interface Place {
  readonly subvolume: Subvolume | undefined;
  readonly inode: number;
}

/** Where in another one a subvolume is. */
interface Entrance {
  readonly parent: Subvolume;
  readonly directory: number;
  readonly name: Uint8Array;
}

/**
 * Inodes have the same numbers in each subvolume: nodes tell them apart by the subvolume's own number, the same in all states
 * of a disk, or where that is large, and of what is not there, by the order in which they were met.
 */
export class Subvolumes {
  readonly #forest: Forest;
  readonly #places = new Map<number, Subvolume | undefined>();
  readonly #byId = new Map<number, Subvolume>();
  readonly #missing = new Map<string, number>();
  #nextPlace = firstFreePlace;

  constructor(forest: Forest) {
    this.#forest = forest;
  }

  /** The number of the subvolume that is mounted where nobody asks for another one. @throws VarveError `CORRUPT` */
  async defaultId(): Promise<number> {
    const { roots, volume } = this.#forest;
    const key = { objectid: objectIds.rootDirectory, type: itemTypes.directoryItem, offset: nameHash(defaultName) };
    const item = await roots.find(key);
    const corrupt = (why: string) => volume.corrupt(`the name of the default subvolume has ${why}`);
    for (const { name, location } of item === undefined ? [] : namesIn(item, corrupt)) {
      if (isEqual(name, defaultName)) return location.objectid;
    }
    return objectIds.fileTree;
  }

  /** A subvolume by its number; undefined where there is none. @throws VarveError `CORRUPT` */
  async open(id: number): Promise<Subvolume | undefined> {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const isOne = id === objectIds.fileTree || id >= objectIds.firstFree;
    const item = isOne ? await this.#forest.rootItem(id) : undefined;
    const tree = item === undefined || item.isDeleted ? undefined : await this.#forest.tree(id);
    if (item === undefined || tree === undefined) return undefined;
    await this.#checkParents(id);
    return this.#byId.get(id) ?? this.#meet(id, tree, item.rootDirectory);
  }

  /** The node of the subvolume `id` where a name stands for it; of an empty directory where it is not there. */
  async enter(id: number, entrance: Entrance): Promise<number> {
    const { parent, directory, name } = entrance;
    const item = await this.#forest.roots.find({ objectid: parent.id, type: itemTypes.rootReference, offset: id });
    const reference = item && decodeRootReference(item);
    // A snapshot has the names of the subvolumes that were in what it was made of, and not the subvolumes.
    const isHere = reference !== undefined && reference.directory === directory && isEqual(reference.name, name);
    const subvolume = isHere ? await this.open(id) : undefined;
    if (subvolume === undefined) return this.#missingNode(id, entrance);
    const owner = await this.#parentOf(id);
    if (owner === parent.id) return this.nodeOf(subvolume, subvolume.rootDirectory);
    throw this.#forest.volume.corrupt(`subvolume ${id} is in ${parent.id}, and says that it is in ${owner}`);
  }

  /** @throws VarveError `UNSUPPORTED` for a number that is too large */
  nodeOf(subvolume: Subvolume, inode: number): number {
    if (inode >= 0 && inode < inodeLimit) return subvolume.index * inodeLimit + inode;
    throw this.#forest.volume.unsupported(`inode ${inode} of subvolume ${subvolume.id} has too large a number`);
  }

  /** What a node stands for; undefined where it was never given out. */
  placeOf(node: number): Place | undefined {
    const index = Math.floor(node / inodeLimit);
    if (!Number.isSafeInteger(node) || !this.#places.has(index)) return undefined;
    return { subvolume: this.#places.get(index), inode: node % inodeLimit };
  }

  #meet(id: number, tree: ItemTree, rootDirectory: number): Subvolume {
    const subvolume = { id, tree, rootDirectory, index: id < firstFreePlace ? id : this.#nextIndex() };
    this.#places.set(subvolume.index, subvolume);
    this.#byId.set(id, subvolume);
    return subvolume;
  }

  #missingNode(id: number, { parent, directory, name }: Entrance): number {
    const key = `${parent.id}/${directory}/${id}/${Array.from(name).join(' ')}`;
    let index = this.#missing.get(key);
    if (index === undefined) {
      index = this.#nextIndex();
      this.#places.set(index, undefined);
      this.#missing.set(key, index);
    }
    return index * inodeLimit + objectIds.emptySubvolume;
  }

  #nextIndex(): number {
    if (this.#nextPlace < mostPlaces) return this.#nextPlace++;
    throw this.#forest.volume.unsupported(`there are too many subvolumes`);
  }

  async #parentOf(id: number): Promise<number | undefined> {
    const from = { objectid: id, type: itemTypes.rootBackReference, offset: 0 };
    for await (const { key } of this.#forest.roots.items(from, { ...from, offset: largestOffset })) return key.offset;
    return undefined;
  }

  /** @throws VarveError `CORRUPT` where subvolumes are inside each other */
  async #checkParents(id: number): Promise<void> {
    const seen = new Set<number>();
    for (let each: number | undefined = id; each !== undefined; each = await this.#parentOf(each)) {
      if (this.#byId.has(each)) return;
      if (seen.has(each)) throw this.#forest.volume.corrupt(`subvolume ${each} is inside itself`);
      seen.add(each);
    }
  }
}
