import { type Key, keyBefore, orderKeys } from './key.ts';
import type { Item, ItemTree } from './tree.ts';

/** A change to a tree; without a view the item is gone. */
interface Change {
  readonly key: Key;
  readonly view: DataView | undefined;
}

/** How many changes lie together in one array; of more than that, two are made. */
const blockLength = 512;

/** A tree with changes that are in memory alone. Not to be changed while its items are gone through. */
export class PatchedTree implements ItemTree {
  readonly name: string;
  readonly #base: ItemTree;
  /** Sorted, in blocks that are sorted among each other; no block is empty. */
  readonly #blocks: Change[][] = [];

  constructor(base: ItemTree) {
    this.#base = base;
    this.name = base.name;
  }

  /** Puts an item into the place of the one with this key, if there is any. */
  set(key: Key, view: DataView): void {
    this.#change({ key, view });
  }

  delete(key: Key): void {
    this.#change({ key, view: undefined });
  }

  async find(key: Key): Promise<DataView | undefined> {
    const change = this.#changeUpTo(key);
    return change !== undefined && orderKeys(change.key, key) === 0 ? change.view : await this.#base.find(key);
  }

  async lastUpTo(key: Key): Promise<Item | undefined> {
    let limit: Key | undefined = key;
    while (limit !== undefined) {
      const change: Change | undefined = this.#changeUpTo(limit);
      const item: Item | undefined = await this.#base.lastUpTo(limit);
      if (change === undefined || (item !== undefined && orderKeys(item.key, change.key) > 0)) return item;
      if (change.view !== undefined) return { key: change.key, view: change.view };
      limit = keyBefore(change.key);
    }
    return undefined;
  }

  async *items(from: Key, to: Key): AsyncGenerator<Item> {
    const changes = this.#changesFrom(from);
    let change = changes.next().value;
    for await (const item of this.#base.items(from, to)) {
      for (; change !== undefined && orderKeys(change.key, item.key) < 0; change = changes.next().value) {
        if (change.view !== undefined) yield { key: change.key, view: change.view };
      }
      // What is changed comes in its turn.
      if (change === undefined || orderKeys(change.key, item.key) > 0) yield item;
    }
    for (; change !== undefined && orderKeys(change.key, to) <= 0; change = changes.next().value) {
      if (change.view !== undefined) yield { key: change.key, view: change.view };
    }
  }

  #change(change: Change): void {
    const blockIndex = Math.max(0, this.#blockUpTo(change.key));
    const block = this.#blocks[blockIndex];
    if (block === undefined) {
      this.#blocks.push([change]);
      return;
    }
    const index = countUpTo(block, change.key);
    const isThere = index > 0 && orderKeys(block[index - 1]!.key, change.key) === 0;
    if (isThere) block[index - 1] = change;
    else block.splice(index, 0, change);
    if (block.length > blockLength) this.#blocks.splice(blockIndex + 1, 0, block.splice(blockLength / 2));
  }

  #changeUpTo(key: Key): Change | undefined {
    const block = this.#blocks[this.#blockUpTo(key)];
    return block?.[countUpTo(block, key) - 1];
  }

  *#changesFrom(key: Key): Generator<Change, undefined> {
    const blockIndex = Math.max(0, this.#blockUpTo(key));
    for (const block of this.#blocks.slice(blockIndex)) {
      for (const change of block) if (orderKeys(change.key, key) >= 0) yield change;
    }
    return undefined;
  }

  /** The last block that begins with a key or before it, −1 for none. */
  #blockUpTo(key: Key): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (orderKeys(this.#blocks[middle]![0]!.key, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function countUpTo(block: readonly Change[], key: Key): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (orderKeys(block[middle]!.key, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
