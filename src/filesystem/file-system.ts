import type { BlockDevice, ExtentKind } from '../block/block-device.ts';
import type { IntervalSet } from '../bytes/interval-set.ts';

/** What a name in a directory stands for. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'block' | 'character' | 'fifo' | 'socket';

/** A moment: whole seconds since 1970, negative before it, and the nanoseconds from there, 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) tells of a file; what a file system does not keep is what Linux would show in its place. */
export interface FileStat {
  /** The number that people see; the file system's own, where it has one. */
  readonly inode: number;
  readonly kind: FileKind;
  /** The twelve bits of permissions, set-user-id and the like; the kind is not in it. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes; of a symlink the length of its target. */
  readonly size: number;
  /** What it takes on the disk, in bytes. */
  readonly allocated: number;
  readonly accessed?: Timestamp | undefined;
  readonly modified?: Timestamp | undefined;
  /** When the inode last changed. */
  readonly changed?: Timestamp | undefined;
  readonly created?: Timestamp | undefined;
  /** Which device a block or character device stands for. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

/** One name in a directory. */
export interface DirectoryEntry {
  /** As it is on the disk where names are bytes there, else in UTF-8; never empty, and without `/` and NUL. */
  readonly name: Uint8Array;
  readonly node: number;
  /** Where the directory says so itself; else `stat` does. */
  readonly kind?: FileKind | undefined;
}

/** A run of a file's bytes of one kind. */
export interface FileExtent {
  readonly offset: number;
  readonly length: number;
  readonly kind: ExtentKind;
  /** Where the device holds exactly these bytes, where it does: not for what is compressed, encrypted or inline. */
  readonly place?: number | undefined;
}

/** A range of the device, in bytes. */
export interface DeviceRange {
  readonly offset: number;
  readonly length: number;
}

/** What can be told of a file system without looking at its files. */
export interface FileSystemIdentity {
  /** As mount(8) names it: `ext4`, `xfs`, `vfat`. */
  readonly type: string;
  /** Which version of its format, where there are several: `FAT32`, `v5`. */
  readonly version?: string | undefined;
  readonly label?: string | undefined;
  /** As blkid shows it: `3c1b…` with dashes, or `A1B2-C3D4`. */
  readonly uuid?: string | undefined;
  /** The unit in which space is given out, in bytes. */
  readonly blockSize: number;
  /** How far on its device it reaches, in bytes. */
  readonly size: number;
}

/** How much of a file system is in use, in bytes. */
export interface FileSystemUsage {
  readonly size: number;
  readonly free: number;
  /** How much of `size` is the file system's own from the start on, whatever files there are: df(1) leaves it out. */
  readonly overhead?: number | undefined;
  /** How much of `free` only root may take, or nobody. */
  readonly reserved?: number | undefined;
  /** How many files there may be, and how many more; left out where there is no limit of its own. */
  readonly inodes?: { readonly count: number; readonly free: number } | undefined;
}

/** What differs between two states of one file system. */
export interface FileSystemChanges {
  /** The bytes of the devices that differ, with what a journal has of them in its place. */
  readonly ranges: IntervalSet;
  /** The nodes of the earlier state that may differ from the same of the later one in anything but when they were read. */
  readonly before: ReadonlySet<number>;
  /** The same of the later state. */
  readonly after: ReadonlySet<number>;
}

/** A part of a file system that can be mounted by itself, as Btrfs has them. */
export interface NamedSubvolume {
  /** As `subvolid=` of mount(8) takes it. */
  readonly id: number;
  /** From the uppermost directory of all, without a `/` before it, as `subvol=` takes it; empty for that one. */
  readonly path: string;
}

/**
 * The files of a disk, read from the bytes of a device; nothing is ever written. Files are named by `node`, a number that means
 * something to this file system only, while it is open; one file has one, whatever its names.
 *
 * What a disk holds is hostile: everything that contradicts itself is `CORRUPT`, naming the structure and where it is.
 * Names are not resolved here: `lookup` takes one name, and knows neither `.` nor `..`, symlinks nor mount points.
 */
export interface FileSystem extends AsyncDisposable {
  readonly identity: FileSystemIdentity;
  /** The node of the uppermost directory. */
  readonly root: number;
  /** False where it was not unmounted, or has errors: it can be read, and nobody should act on what it calls free. */
  readonly isClean: boolean;
  /** @throws VarveError `CORRUPT` */
  stat(node: number): Promise<FileStat>;
  /** The node of a name in a directory, by the file system's own rules for upper and lower case. */
  lookup(directory: number, name: Uint8Array): Promise<number | undefined>;
  /** The names in a directory, without `.` and `..`, each once, in the file system's order. */
  readDirectory(directory: number): AsyncIterable<DirectoryEntry>;
  /** The same, as many at a time as are found together, for whoever wants all. Left out where that is no quicker. */
  entryBatches?(directory: number): AsyncIterable<readonly DirectoryEntry[]>;
  /** Reads from a file's `offset` on until `target` is full or the file ends; returns how many bytes it has read. */
  read(node: number, target: Uint8Array, offset: number): Promise<number>;
  /** What a symlink holds. */
  readLink(node: number): Promise<Uint8Array>;
  /** The extended attributes with their whole names (`user.x`), ACLs as Linux hands them out (`system.posix_acl_access`). */
  extendedAttributes(node: number): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The runs of a file's content, in order, without gaps, up to its size. */
  extents(node: number): AsyncIterable<FileExtent>;
  usage(): Promise<FileSystemUsage>;
  /** The ranges of the device that hold nothing, in order: what `fstrim` would give back. */
  freeRanges(): AsyncIterable<DeviceRange>;
  /** The parts of it that can be mounted by themselves, the uppermost one first. Left out where there never are any. */
  subvolumes?(): AsyncIterable<NamedSubvolume>;
  /**
   * The same file system with a subvolume's directory for its root; undefined where there is no such subvolume. It is closed
   * with this one. There wherever `subvolumes` is.
   */
  subvolume?(which: Partial<NamedSubvolume>): Promise<FileSystem | undefined>;
  /**
   * What changed since `earlier`, which is the same file system as it once was, where all that differs between the devices
   * lies in `ranges`. Undefined where that cannot be told without looking at all files.
   */
  changesSince?(earlier: FileSystem, ranges: IntervalSet): Promise<FileSystemChanges | undefined>;
  /** The directory that a directory is in, as it says itself: `..`. There wherever `changesSince` is. */
  parent?(directory: number): Promise<number>;
  /** Directories that a file may be in, the likeliest first: a guess that costs little. Left out where there is none. */
  likelyParents?(file: number): AsyncIterable<number>;
}

/** What `open` needs besides the device. */
export interface OpenFileSystemOptions {
  /** The disk's name, for messages. */
  readonly name: string;
  /** Devices that may hold other parts of it, for kinds that can be spread over several; they stay the caller's. */
  readonly others?: readonly BlockDevice[] | undefined;
}

/** One kind of file system: how it is recognised and opened. */
export interface FileSystemDriver {
  /** The names that `identity.type` may have. */
  readonly types: readonly string[];
  /** What it is, or undefined where it is something else. Reads little, and never fails for what is on the disk. */
  identify(device: BlockDevice): Promise<FileSystemIdentity | undefined>;
  /**
   * Opens it; the device stays the caller's.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`
   */
  open(device: BlockDevice, options: OpenFileSystemOptions): Promise<FileSystem>;
}
