import { compareKeys, decodeKey, encodeKey, type Key, nameOfKey } from './key.ts';
import type { TreePointer } from './superblock.ts';
import { countBefore, itemView, keyPlace, pointerAt, type TreeBlock } from './tree-block.ts';
import type { BtrfsVolume } from './volume.ts';

/** An item of a tree, and what it holds. */
export interface Item {
  readonly key: Key;
  readonly view: DataView;
}

/** Items in the order of their keys. */
export interface ItemTree {
  /** As errors name it: `tree 5`. */
  readonly name: string;
  /** What the item with a key holds. @throws VarveError `CORRUPT` */
  find(key: Key): Promise<DataView | undefined>;
  /** The item with the last key that is not after `key`. @throws VarveError `CORRUPT` */
  lastUpTo(key: Key): Promise<Item | undefined>;
  /** The items from one key to another, both of them with it. @throws VarveError `CORRUPT` */
  items(from: Key, to: Key): AsyncIterable<Item>;
}

/** The leaf in which a key is, or would be. */
interface FoundLeaf {
  readonly leaf: TreeBlock;
  /** What comes first in the next leaf; undefined in the last one. */
  readonly next: DataView | undefined;
}

/** A tree as it is on the disk. */
export class DiskTree implements ItemTree {
  readonly name: string;
  readonly #volume: BtrfsVolume;
  readonly #root: TreePointer;

  constructor(volume: BtrfsVolume, root: TreePointer, name: string) {
    this.#volume = volume;
    this.#root = root;
    this.name = name;
  }

  async find(key: Key): Promise<DataView | undefined> {
    const wanted = encodeKey(key);
    const { leaf } = await this.#leaf(wanted);
    const index = countBefore(leaf, wanted);
    const isThere = index < leaf.count && compareKeys(leaf.view, keyPlace(leaf, index), wanted, 0) === 0;
    return isThere ? itemView(leaf, index) : undefined;
  }

  async lastUpTo(key: Key): Promise<Item | undefined> {
    const wanted = encodeKey(key);
    const { leaf } = await this.#leaf(wanted);
    const index = countBefore(leaf, wanted, true) - 1;
    return index < 0 ? undefined : itemAt(leaf, index);
  }

  async *items(from: Key, to: Key): AsyncGenerator<Item> {
    const last = encodeKey(to);
    let next: DataView | undefined = encodeKey(from);
    while (next !== undefined && compareKeys(next, 0, last, 0) <= 0) {
      const found: FoundLeaf = await this.#leaf(next);
      const { leaf } = found;
      for (let index = countBefore(leaf, next); index < leaf.count; index++) {
        if (compareKeys(leaf.view, keyPlace(leaf, index), last, 0) > 0) return;
        yield itemAt(leaf, index);
      }
      ({ next } = found);
    }
  }

  /** Goes down to a leaf. Each block must hold keys of its own part of the tree: no walk over leaves goes in a circle. */
  async #leaf(wanted: DataView): Promise<FoundLeaf> {
    let pointer = this.#root;
    let first: DataView | undefined;
    let next: DataView | undefined;
    while (true) {
      const loaded = this.#volume.block(pointer, this.name);
      const block: TreeBlock = loaded instanceof Promise ? await loaded : loaded;
      this.#checkPlace(block, pointer, { first, next });
      if (block.level === 0) return { leaf: block, next };
      const index = Math.max(0, countBefore(block, wanted, true) - 1);
      first = keyAt(block, index);
      if (index + 1 < block.count) next = keyAt(block, index + 1);
      pointer = pointerAt(block, index);
    }
  }

  #checkPlace(
    block: TreeBlock,
    { address }: TreePointer,
    { first, next }: { readonly first: DataView | undefined; readonly next: DataView | undefined },
  ): void {
    const what = `block ${address} of ${this.name}`;
    if (first === undefined) return;
    if (block.count === 0 || compareKeys(block.view, keyPlace(block, 0), first, 0) !== 0) {
      throw this.#volume.corrupt(`${what} does not begin with ${nameOfKey(decodeKey(first, 0))}`);
    }
    if (next !== undefined && compareKeys(block.view, keyPlace(block, block.count - 1), next, 0) >= 0) {
      throw this.#volume.corrupt(`${what} holds keys from ${nameOfKey(decodeKey(next, 0))} on`);
    }
  }
}

function keyAt(block: TreeBlock, index: number): DataView {
  return new DataView(block.view.buffer, block.view.byteOffset + keyPlace(block, index));
}

function itemAt(leaf: TreeBlock, index: number): Item {
  return { key: decodeKey(leaf.view, keyPlace(leaf, index)), view: itemView(leaf, index) };
}
