import type { BlockDevice } from '../block/block-device.ts';
import type { ImageTarget } from './image-target.ts';

/**
 * Opens the file that an image builds on. `name` and `format` are what the image says, so what a stranger may have
 * written: the hook decides whether that file may be opened at all, what a relative name is relative to, and how deep
 * a chain may get. The image disposes of the device.
 */
export type OpenBacking = (name: string, format: string | undefined) => Promise<BlockDevice>;

/** How an image file is opened. */
export interface OpenImageOptions {
  /** What errors call the file, usually its path. */
  readonly name: string;
  /** Given where backing files are to be followed; without it an image that has one is refused. */
  readonly openBacking?: OpenBacking;
}

/** The way clusters are compressed. */
export type Compression = 'deflate' | 'zstd';

/** How an image file is written. */
export interface WriteImageOptions {
  /** `none` where nothing is given. */
  readonly compression?: 'none' | Compression;
  /** In bytes, a power of two; for formats that have clusters. */
  readonly clusterSize?: number;
  /** Called with how many bytes of the disk are dealt with, holes included. */
  readonly onProgress?: (doneBytes: number) => void;
  /** Stops the writing with `ABORTED`; what is written by then is no image. */
  readonly signal?: AbortSignal;
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
  readonly snapshotCount?: number;
  /** Names of what else is switched on: `lazy refcounts`, `extended L2 entries`. */
  readonly features?: readonly string[];
  /** Whoever wrote to it last did not finish; content is whole all the same. */
  readonly dirty?: boolean;
  /** Somebody found it damaged; it can be read as far as that goes. */
  readonly corrupt?: boolean;
}

/** The disk inside an image file. Disposing of it disposes of the file and the backing files. */
export interface FormatDevice extends BlockDevice {
  /** The name of its format. */
  readonly format: string;
  information(): FormatInformation;
}

/** A disk file format: how to tell it, open it and write it. */
export interface ImageFormat {
  readonly name: string;
  /** File name endings without the dot, the usual one first. */
  readonly extensions: readonly string[];
  /**
   * How sure it is that a file of `size` bytes that starts with `head` (its first 64 KiB, or all of it) has this
   * format: 0 not at all, 1 it might, 100 its magic is there.
   */
  probe(head: Uint8Array, size: number): number;
  /**
   * The disk in `file`, usable at once. The file belongs to the returned device; where opening fails, it is the
   * caller's still.
   *
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `PERMISSION` for a backing file nobody allowed
   */
  open(file: BlockDevice, options: OpenImageOptions): Promise<FormatDevice>;
  /**
   * Writes all of `source` into an empty target, as a whole image; syncing it is up to the caller.
   *
   * @throws VarveError `INVALID` for options that make no sense in this format, `ABORTED`, and what source and target throw
   */
  write(source: BlockDevice, target: ImageTarget, options?: WriteImageOptions): Promise<void>;
}
