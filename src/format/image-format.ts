import type { BlockDevice, Extent, MaybePromise, ResizableDevice } from '../block/block-device.ts';
import type { DiskRange } from './data-ranges.ts';
import type { ImageTarget } from './image-target.ts';

/**
 * Opens the file that an image builds on. `name` and `format` are what the image says, so what a stranger may have
 * written: the hook decides whether that file may be opened at all, what a relative name is relative to, and how deep
 * a chain may get. `cannotTell`: images of its format have no way to say what that file is. The image disposes of the
 * device.
 */
export type OpenBacking = (name: string, format: string | undefined, cannotTell?: boolean) => Promise<BlockDevice>;

/**
 * Opens a file that holds a part of the image's own data: an extent of a VMDK, a qcow2's external data file. `name` is
 * what the image says; the hook decides whether that file may be opened, as with `OpenBacking`. It is opened to be
 * written where the image is. The image disposes of the device.
 */
export type OpenPart = (name: string) => Promise<BlockDevice>;

/** Gives the passphrase or key of an encrypted image; called only where the image asks for one. */
export type AskSecret = (question: string) => Promise<Uint8Array>;

/** How an image file is opened. */
export interface OpenImageOptions {
  /** What errors call the file, usually its path. */
  readonly name: string;
  /** Given where backing files are to be followed; without it an image that has one is refused. */
  readonly openBacking?: OpenBacking;
  /** Given where files that hold parts of the image are to be opened; without it an image that has any is refused. */
  readonly openPart?: OpenPart;
  /** Given where encrypted images are to be read; without it such an image is refused. */
  readonly askSecret?: AskSecret;
  /**
   * Whether the disk is to be changed in place; the file is writable then, and `ResizableDevice` where the format lets
   * it grow. A format that is only read refuses with `UNSUPPORTED`.
   */
  readonly writable?: boolean;
  /** Only `information` will be asked of the disk: an image whose content is in other files does not open them. */
  readonly informationOnly?: boolean;
  /** Which disk is meant, by its name, where a file holds several. */
  readonly member?: string;
}

/** The way clusters are compressed. */
export type Compression = 'deflate' | 'zstd';

/** How an image file is written. */
export interface WriteImageOptions {
  /** `none` where nothing is given. */
  readonly compression?: 'none' | Compression;
  /** In bytes, a power of two; for formats that have clusters. */
  readonly clusterSize?: number;
  /** Switches of the format by the names that `qemu-img convert -o` has: `subformat`. */
  readonly options?: Readonly<Record<string, string>>;
  /** How many processors to keep busy with compressing, at least 1; all of them where nothing is given. */
  readonly parallel?: number;
  /** Called with how many bytes of the disk are dealt with, holes included. */
  readonly onProgress?: (doneBytes: number) => void;
  /** Stops the writing with `ABORTED`; what is written by then is no image. */
  readonly signal?: AbortSignal;
}

/** How an empty image file is made. */
export interface CreateImageOptions {
  /** Of the disk, in bytes. */
  readonly size: number;
  /** In bytes; for formats that have clusters or blocks. */
  readonly clusterSize?: number;
  /** What compressed clusters are compressed with once there are any; `zstd` where nothing is given. */
  readonly compression?: Compression;
  /** The file it builds on, as it is to stand in the image. */
  readonly backing?: BackingReference;
  /** Switches of the format by the names that `qemu-img create -o` has: `extended_l2`, `lazy_refcounts`, `compat`. */
  readonly options?: Readonly<Record<string, string>>;
}

/** The file an image builds on, in the image's own words. */
export interface BackingReference {
  readonly name: string;
  readonly format: string | undefined;
}

/** What an image file says of itself; what its format does not know is left out. */
export interface FormatInformation {
  readonly format: string;
  /** In bytes. */
  readonly virtualSize: number;
  /** In bytes. */
  readonly fileSize: number;
  readonly version?: number;
  /** In bytes. */
  readonly clusterSize?: number;
  /** What compressed clusters, if there are any, are compressed with. */
  readonly compression?: Compression;
  readonly backing?: BackingReference;
  /** What images that build on it know its content by; it changes when that does. */
  readonly contentId?: string;
  readonly snapshotCount?: number;
  /** Names of what else is switched on: `lazy refcounts`, `extended L2 entries`. */
  readonly features?: readonly string[];
  /** Whoever wrote to it last did not finish; content is whole all the same. */
  readonly dirty?: boolean;
  /** Somebody found it damaged; it can be read as far as that goes. */
  readonly corrupt?: boolean;
  /** How its content is encrypted: `LUKS`, `AES`. */
  readonly encryption?: string;
  /** Other files that hold parts of its data, in its own words. */
  readonly parts?: readonly string[];
  /** The snapshots inside the file. */
  readonly snapshots?: readonly InternalSnapshot[];
  /** The persistent dirty bitmaps inside the file. */
  readonly bitmaps?: readonly BitmapInformation[];
}

/** A snapshot inside an image file. */
export interface InternalSnapshot {
  readonly id: string;
  readonly name: string;
  /** Of the disk then, in bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** Length of a saved machine state, in bytes; 0 where there is none. */
  readonly machineStateLength: number;
}

/** A persistent dirty bitmap inside an image file. */
export interface BitmapInformation {
  readonly name: string;
  /** Bytes of the disk that a bit stands for. */
  readonly granularity: number;
  /** `auto`: it is kept up to date by whoever writes; `in-use`: whoever did was cut off, so it says nothing. */
  readonly flags: readonly ('auto' | 'in-use')[];
}

/** A run of a disk as `map` tells of it: as `Extent`, and where it comes from. */
export interface MappedExtent extends Extent {
  /** How many files down the chain it is found: 0 in the image itself. */
  readonly depth: number;
  /** Whether any file of the chain says what it holds; false where all are silent, and it reads as zeros. */
  readonly present: boolean;
  readonly compressed: boolean;
  /** Where it is in the file at `depth`, in bytes; left out where it has no place of its own. */
  readonly hostOffset?: number;
}

/** The disk inside an image file. Disposing of it disposes of the file and the backing files. */
export interface FormatDevice extends BlockDevice {
  /** The name of its format. */
  readonly format: string;
  information(): FormatInformation;
  /**
   * The runs of a range with where they come from, in order, without gaps, cut to the range. Where a format has no more
   * to tell, `mapOf` makes it of `extents`.
   */
  map?(offset: number, length: number): Iterable<MappedExtent> | AsyncIterable<MappedExtent>;
  /**
   * The ranges of the disk that a persistent dirty bitmap inside the file names, in order and apart from each other; what
   * was written since the image was opened is not in it.
   *
   * @throws VarveError `NOT_FOUND`, `CONFLICT` for one that says nothing, `UNSUPPORTED`, `CORRUPT`
   */
  dirtyRanges?(bitmap: string): AsyncIterable<DiskRange>;
  /** Makes the disk larger, with zeros, or smaller; there where it can be done and the image is open for writing. */
  resize?(size: number): MaybePromise<void>;
}

/** What to look for, and to set right, in an image file. */
export interface CheckImageOptions {
  /** What errors call the file. */
  readonly name: string;
  /** `leaks`: frees what nothing uses; `all`: also what contradicts itself. Nothing where it is not given. */
  readonly repair?: 'leaks' | 'all';
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What is wrong with an image file. Counts are of what was found and is not repaired. */
export interface CheckReport {
  /** Contradictions that can cost data. */
  readonly corruptions: number;
  /** Clusters that are taken and that nothing uses. */
  readonly leaks: number;
  readonly corruptionsFixed: number;
  readonly leaksFixed: number;
  /** One line for each of the first hundred. */
  readonly problems: readonly string[];
  /** Clusters or blocks of the disk, and how many of them have a place in the file, are compressed, are out of order. */
  readonly clusters?: {
    readonly total: number;
    readonly allocated: number;
    readonly compressed: number;
    readonly fragmented: number;
  };
  /** Where the last thing in the file ends, in bytes. */
  readonly imageEndOffset?: number;
}

/** How large a file would be. */
export interface ImageMeasure {
  /** With what the disk holds now, in bytes. */
  readonly required: number;
  /** With all of the disk written, in bytes. */
  readonly fullyAllocated: number;
}

/**
 * The snapshots inside the files of a format. Who changes them has the file for itself. A snapshot is named by its name
 * or its id.
 */
export interface InternalSnapshots {
  /**
   * The disk as of a snapshot, to be read; the file belongs to it as with `ImageFormat.open`.
   *
   * @throws VarveError `NOT_FOUND`, and what `ImageFormat.open` throws
   */
  open(file: BlockDevice, snapshot: string, options: Omit<OpenImageOptions, 'writable'>): Promise<FormatDevice>;
  /**
   * Keeps the disk as it is, and gives the snapshot's id. `imageName` is the file's in errors.
   *
   * @throws VarveError `EXISTS`, `INVALID` for a name, `NO_SPACE`
   */
  create(file: BlockDevice, imageName: string, snapshot: { readonly name: string }): Promise<string>;
  /** Makes the disk what it was; what it is now is lost. @throws VarveError `NOT_FOUND`, `UNSUPPORTED`, `NO_SPACE` */
  apply(file: BlockDevice, imageName: string, snapshot: string): Promise<void>;
  /** Forgets a snapshot, and gives its space back. @throws VarveError `NOT_FOUND` */
  delete(file: BlockDevice, imageName: string, snapshot: string): Promise<void>;
}

/** A disk file format: how to tell it, open it and write it. */
export interface ImageFormat {
  readonly name: string;
  /** Other names that it is asked for by. */
  readonly aliases?: readonly string[];
  /** File name endings without the dot, the usual one first. */
  readonly extensions: readonly string[];
  /**
   * How sure it is that a file of `size` bytes that starts with `head` (its first 64 KiB, or all of it) and ends with
   * `tail` (its last 512 bytes, or all of it) has this format: 0 not at all, 1 it might, 100 its magic is there.
   */
  probe(head: Uint8Array, size: number, tail?: Uint8Array): number;
  /**
   * The disk in `file`, usable at once. The file belongs to the returned device; where opening fails, it is the
   * caller's still.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` for a backing file nobody allowed
   */
  open(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice>;
  /** What can be done with the snapshots inside its files; left out by formats that have none. */
  readonly internalSnapshots?: InternalSnapshots;
  /**
   * Writes all of `source` into an empty target, as a whole image; syncing it is up to the caller. Left out by formats
   * that are only read.
   *
   * @throws VarveError `INVALID` for options that make no sense in this format, `ABORTED`, and what source and target throw
   */
  write?(source: BlockDevice, target: ImageTarget, options?: WriteImageOptions): Promise<void>;
  /**
   * Makes an empty image in an empty file, and syncs it; there for formats that are written in place.
   *
   * @throws VarveError `INVALID` for options that make no sense in this format
   */
  create?(file: ResizableDevice, options: CreateImageOptions): Promise<void>;
  /**
   * Looks for what is wrong with an image, and repairs it in a writable file if asked. It opens no other file.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED` where not even its header can be read
   */
  check?(file: BlockDevice, options: CheckImageOptions): Promise<CheckReport>;
  /** How large a file `write` would make, as far as that can be known beforehand; compression is not. */
  measure?(source: BlockDevice, options?: WriteImageOptions): Promise<ImageMeasure>;
}

/** A format whose images can be written whole. */
export type WritableFormat = ImageFormat & Required<Pick<ImageFormat, 'write'>>;
