import type { BlockDevice, MaybePromise } from '../block/block-device.ts';

/** What a run of a disk is: `backing` is what the image leaves to the file it builds on. */
export type BlockKind = 'data' | 'zero' | 'hole' | 'backing';

/** A run of a disk of one kind. */
export interface BlockRun {
  readonly kind: BlockKind;
  /** In bytes, over 0. */
  readonly length: number;
  /** Where the run's first byte is in the file; 0 for what has no place there. */
  readonly hostOffset: number;
}

/** Finds where in a file the bytes of a disk are. */
export interface BlockMap {
  /**
   * The run that starts at byte `offset` of the disk, at most `length` bytes long; one of data is in one piece, and
   * inside the file.
   *
   * @throws VarveError `CORRUPT`
   */
  lookup(offset: number, length: number): MaybePromise<BlockRun>;
}

/** What the disk in an image is made from. */
export interface BlockMapSources {
  readonly file: BlockDevice;
  readonly map: BlockMap;
  readonly backing: BlockDevice | undefined;
  /**
   * Whether a hole counts as said by the image, as QEMU has it for formats in which images build on no others; not
   * where nothing is given.
   */
  readonly holesArePresent?: boolean;
}
