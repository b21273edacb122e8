/** A method that may be done when it returns: test for a promise on hot paths, `await` it everywhere else. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What a run of bytes is. All but `data` read as zeros: `zero` says so explicitly (and hides what a backing layer
 * holds), `hole` has nothing allocated for it.
 */
export type ExtentKind = 'data' | 'zero' | 'hole';

/** A run of bytes of one kind; offset and length in bytes, length over 0. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly kind: ExtentKind;
}

/** What a device can do, as data: what is false here throws `UNSUPPORTED` or `READ_ONLY` in the checking wrapper. */
export interface DeviceSupport {
  /** `write` works, and so does `zero` (by writing zeros where nothing is quicker). */
  readonly write: boolean;
  /** `trim` gives space back; where false, `trim` is allowed and does nothing. */
  readonly trim: boolean;
  /** `zero` is quicker than writing zeros. */
  readonly zero: boolean;
  /** `extents` knows more than "all of it is data". */
  readonly extents: boolean;
}

/**
 * A disk, nothing more: `size` bytes that can be read and perhaps written at any offset.
 *
 * Offsets and lengths are bytes, at most 2^53−1. A driver may trust them to be whole, non-negative and inside the
 * device, lengths to be over 0, and writing methods to be called only where `supports.write`: `checkedDevice` sees
 * to that once, at the edge.
 *
 * Each method may finish synchronously: it returns `undefined` when it is done and a promise otherwise. It fails the
 * same way, by throwing at once or by rejecting, and a failed write may be there in part. Several requests may be in
 * flight at once; those that overlap have no order among themselves. A buffer belongs to the device from the call
 * until it is done, and to the caller before and after.
 *
 * Whoever opened a device disposes of it; disposing does not flush. Disposing twice is fine.
 */
export interface BlockDevice extends AsyncDisposable {
  /** The disk's size in bytes. */
  readonly size: number;
  /** The granularity it likes, in bytes, a power of two: requests aligned to it are the fastest. Any are allowed. */
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  /** Fills all of `target` from `offset`, or throws. */
  read(target: Uint8Array, offset: number): MaybePromise<void>;
  /** Writes all of `source` at `offset`, or throws; durable after the next `flush`. */
  write(source: Uint8Array, offset: number): MaybePromise<void>;
  /** Makes a range read as zeros, giving its space back where that is cheap. */
  zero(offset: number, length: number): MaybePromise<void>;
  /** Says that a range's content is not needed any more. It reads as zeros afterwards, or as it did before. */
  trim(offset: number, length: number): MaybePromise<void>;
  /** Returns when everything that was written before the call would survive a power cut. */
  flush(): MaybePromise<void>;
  /**
   * The runs of a range, in order, without gaps, cut to the range; neighbours may be of the same kind. `data` is
   * always a safe answer. Iterate with `for await`; do not write to the range meanwhile.
   */
  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent>;
  /**
   * The bytes of an open file that are those of a range, now and after whatever is written to it, so that a read need not
   * copy them; `undefined` where there is no such file. Good until the caller gives the event loop a turn. Where there is
   * one, `read` finishes synchronously. Left out where there never is one, as in every filter that has to see what is
   * read.
   */
  fileRange?(offset: number, length: number): FileRange | undefined;
}

/** As many bytes of an open file as were asked for. */
export interface FileRange {
  readonly fd: number;
  /** In bytes. */
  readonly offset: number;
}

/** A device that can get longer and shorter: a file, memory. */
export interface ResizableDevice extends BlockDevice {
  /** What it is now, in bytes. */
  readonly size: number;
  /** A write that goes past the end makes the device longer; a gap before it reads as zeros. */
  write(source: Uint8Array, offset: number): MaybePromise<void>;
  /** Cuts the device to `size` bytes, or makes it so long with zeros. */
  resize(size: number): MaybePromise<void>;
  /** Looks how long it is by now, where somebody else may have changed that. */
  refreshSize?(): void;
}

/** Whether a device can get longer and shorter. A partition or a block device of this machine cannot. */
export function isResizable(device: BlockDevice): device is ResizableDevice {
  return 'resize' in device;
}
