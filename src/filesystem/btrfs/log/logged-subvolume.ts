import type { FileKind } from '../../file-system.ts';
import { decodeInode, type Inode, inodeFields, inodeKind } from '../inode.ts';
import { itemTypes, type Key } from '../key.ts';
import { bytesOf, setU64, u64, viewOf } from '../little-endian.ts';
import type { PatchedTree } from '../patched-tree.ts';
import type { Item, ItemTree } from '../tree.ts';
import type { BtrfsVolume } from '../volume.ts';

/** A subvolume whose log is replayed. */
export class LoggedSubvolume {
  readonly volume: BtrfsVolume;
  /** What becomes of it. */
  readonly tree: PatchedTree;
  readonly log: ItemTree;
  /** Inodes whose names are to be counted again. */
  readonly touched = new Set<number>();

  constructor(volume: BtrfsVolume, tree: PatchedTree, log: ItemTree) {
    this.volume = volume;
    this.tree = tree;
    this.log = log;
  }

  /** An inode of the subvolume as it is by now; undefined where there is none. @throws VarveError `CORRUPT` */
  async inode(number: number): Promise<Inode | undefined> {
    const view = await this.tree.find(inodeKey(number));
    if (view === undefined) return undefined;
    const inode = decodeInode(view, number, this.volume.superblock.sectorSize);
    if (typeof inode === 'string') throw this.volume.corrupt(`inode ${number} of ${this.tree.name} ${inode}`);
    return inode;
  }

  /** What kind of file an inode is; logs do not fill in all else that is in it. @throws VarveError `CORRUPT` */
  kind(view: DataView, number: number): FileKind {
    const kind = inodeKind(view);
    if (kind !== undefined) return kind;
    throw this.volume.corrupt(`inode ${number} of ${this.log.name} is of no known kind`);
  }

  /** Changes an inode that is there by adding to its 64-bit fields; none gets below 0. */
  async add(number: number, changes: Partial<Readonly<Record<'size' | 'nbytes', number>>>): Promise<void> {
    const old = await this.tree.find(inodeKey(number));
    if (old === undefined) return;
    const view = copyOf(old);
    for (const field of ['size', 'nbytes'] as const) {
      const at = inodeFields[field];
      setU64(view, at, Math.max(0, u64(view, at) + (changes[field] ?? 0)));
    }
    this.tree.set(inodeKey(number), view);
  }

  /** The items of one kind of an object. */
  async items(tree: ItemTree, objectid: number, type: number): Promise<Item[]> {
    const found: Item[] = [];
    for await (const item of tree.items({ objectid, type, offset: 0 }, { objectid, type, offset: -1 }))
      found.push(item);
    return found;
  }

  /** Puts an item with these contents into the tree, or takes it away where there are none. */
  put(key: Key, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    // No leaf has room for more.
    if (length > this.volume.superblock.nodeSize) throw this.volume.corrupt(`${this.log.name} makes an item too long`);
    if (parts.length === 0) {
      this.tree.delete(key);
      return;
    }
    const bytes = new Uint8Array(length);
    let end = 0;
    for (const part of parts) {
      bytes.set(part, end);
      end += part.length;
    }
    this.tree.set(key, viewOf(bytes));
  }
}

/** The key of an inode. */
export function inodeKey(number: number): Key {
  return { objectid: number, type: itemTypes.inode, offset: 0 };
}

/** The same bytes, to be changed. */
export function copyOf(view: DataView): DataView {
  return viewOf(bytesOf(view).slice());
}
