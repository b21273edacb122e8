import type { MaybePromise } from '../block/block-device.ts';

/** Where an image is written to: a file, a device, a pipe. A buffer is the caller's again when a call is done. */
export interface ImageTarget {
  /** Whether writes may go anywhere; otherwise each starts where the last one ended. */
  readonly seekable: boolean;
  /** Whether what nobody writes reads as zeros. */
  readonly zeroed: boolean;
  /** What the file is called, without its directory, for formats that note it; undefined where it has no name. */
  readonly fileName?: string;
  /** How many bytes fit at most; undefined where it grows. */
  readonly capacity?: number;
  /** Writes all of `source` at `offset`, or throws. */
  write(source: Uint8Array, offset: number): MaybePromise<void>;
  /** Makes a range of `length` bytes zeros, whatever was there. */
  zero(offset: number, length: number): MaybePromise<void>;
  /** All is written, and the image is `size` bytes long. Not synced. */
  finish(size: number): MaybePromise<void>;
}
