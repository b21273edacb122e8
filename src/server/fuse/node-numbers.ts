import { VarveError } from '../../base/varve-error.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';
import type { FilePlace, FileTree } from '../guest-tree/file-place.ts';

const rootNumber = 1;
/** Node 0 is none, and 1 is the root. */
const firstNumber = 2;
/** Inode numbers of file systems other than the first begin at multiples of it. */
const inodeStride = 2 ** 48;
/** The uppermost directory of each subvolume. Source: Linux, include/uapi/linux/btrfs_tree.h (BTRFS_FIRST_FREE_OBJECTID). */
const subvolumeRoot = 256;

/**
 * What the files of several file systems are called by the kernel: a number that says by itself which file it is, so that
 * nothing has to be remembered of files that were looked at.
 */
export class NodeNumbers {
  readonly #fileSystems: readonly FileSystem[];
  readonly #root: FilePlace;
  readonly #mounted = new Map<number, FilePlace>();

  constructor({ mounts, root }: FileTree) {
    this.#fileSystems = [...new Set([root, ...mounts.flatMap((mount) => [mount.covered, mount.root])])]
      .map(({ fileSystem }) => fileSystem)
      .filter((each, index, all) => all.indexOf(each) === index);
    this.#root = root;
    for (const mount of mounts) this.#mounted.set(this.#plainNumber(mount.covered), mount.root);
  }

  /** @throws VarveError `UNSUPPORTED` for a node whose number is too large to be passed on */
  numberOf(place: FilePlace): number {
    return this.isRoot(place) ? rootNumber : this.#plainNumber(place);
  }

  /** What stands for a number that `numberOf` gave. */
  placeOf(number: number): FilePlace {
    if (number === rootNumber) return this.#root;
    const count = this.#fileSystems.length;
    const rest = number - firstNumber;
    return { fileSystem: this.#fileSystems[rest % count]!, node: Math.floor(rest / count) };
  }

  isRoot({ fileSystem, node }: FilePlace): boolean {
    return node === this.#root.node && fileSystem === this.#root.fileSystem;
  }

  /** The file itself, or what is mounted on it. */
  visible(place: FilePlace): FilePlace {
    if (this.#mounted.size === 0) return place;
    return this.#mounted.get(this.#plainNumber(place)) ?? place;
  }

  /** An inode number that no two files share: those of the root's file system are its own. */
  inodeOf(place: FilePlace, inode: number): number {
    if (isNested(place, inode)) return this.#plainNumber(place);
    const index = this.#fileSystems.indexOf(place.fileSystem);
    const shown = inode + index * inodeStride;
    const isOwn = inode > 0 && (index === 0 || inode < inodeStride) && Number.isSafeInteger(shown);
    return isOwn ? shown : this.#plainNumber(place);
  }

  #plainNumber({ fileSystem, node }: FilePlace): number {
    const count = this.#fileSystems.length;
    const number = firstNumber + node * count + this.#fileSystems.indexOf(fileSystem);
    if (Number.isSafeInteger(number)) return number;
    throw new VarveError('UNSUPPORTED', `node ${node} of a file system has too large a number to be mounted`);
  }
}

/** Whether a file is in another subvolume than its file system's root: inodes there have the same numbers, and only nodes tell. */
function isNested({ fileSystem, node }: FilePlace, inode: number): boolean {
  return fileSystem.subvolumes !== undefined && node - inode !== fileSystem.root - subvolumeRoot;
}
