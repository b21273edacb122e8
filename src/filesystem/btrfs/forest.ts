import { LruMap } from '../../base/lru.ts';
import { itemTypes, largestOffset } from './key.ts';
import { decodeRootItem, type RootItem } from './root-item.ts';
import { DiskTree, type ItemTree } from './tree.ts';
import type { BtrfsVolume } from './volume.ts';

const keptRoots = 1024;

/** All trees of a Btrfs but for that of the chunks, by their numbers. */
export class Forest {
  /** The tree of roots. */
  readonly roots: ItemTree;
  readonly volume: BtrfsVolume;
  readonly #replaced = new Map<number, ItemTree>();
  readonly #items = new LruMap<number, RootItem>(keptRoots);

  constructor(volume: BtrfsVolume) {
    this.volume = volume;
    this.roots = new DiskTree(volume, volume.superblock.roots, 'the tree of roots');
  }

  /** What the tree of roots says of a tree; undefined where there is none. @throws VarveError `CORRUPT` */
  async rootItem(id: number): Promise<RootItem | undefined> {
    const known = this.#items.get(id);
    if (known !== undefined) return known;
    const found = await this.roots.lastUpTo({ objectid: id, type: itemTypes.root, offset: largestOffset });
    if (found?.key.objectid !== id || found.key.type !== itemTypes.root) return undefined;
    const item = decodeRootItem(found.view);
    if (item === undefined) throw this.volume.corrupt(`the root item of tree ${id} has ${found.view.byteLength} bytes`);
    this.#items.set(id, item);
    return item;
  }

  /** A tree by its number; undefined where there is none. @throws VarveError `CORRUPT` */
  async tree(id: number): Promise<ItemTree | undefined> {
    const replaced = this.#replaced.get(id);
    if (replaced !== undefined) return replaced;
    const item = await this.rootItem(id);
    return item && new DiskTree(this.volume, item.pointer, `tree ${id}`);
  }

  /** Has others read `tree` where they look for tree `id`. */
  replace(id: number, tree: ItemTree): void {
    this.#replaced.set(id, tree);
  }
}
