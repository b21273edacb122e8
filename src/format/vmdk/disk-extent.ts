import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';

/** What becomes of a run: it is in the file as it is, or compressed; it is zeros; or the parent disk has it. */
export type GrainKind = 'data' | 'compressed' | 'zero' | 'unallocated';

/** A run of an extent's bytes of one kind; lengths and offsets in bytes. */
export interface GrainRun {
  readonly kind: GrainKind;
  /** A compressed run ends with its grain. */
  readonly length: number;
  /** Where the run's first byte, or its compressed grain, is in the file; 0 for the other kinds. */
  readonly hostOffset: number;
}

/** A part of a disk, from one file or none. Disposing of it disposes of the file. */
export interface DiskExtent extends AsyncDisposable {
  /** Of the disk, in bytes. */
  readonly size: number;
  /** The file, where it holds the extent's bytes as they are: its holes are zeros of the disk, then. */
  readonly flatFile?: BlockDevice;
  /**
   * The run that starts at byte `offset` of the extent, at most `length` bytes of it. `contiguous` ends a run of
   * `data` where it stops being in one piece in the file, and makes sure that it is inside the file.
   *
   * @throws VarveError `CORRUPT`
   */
  lookup(offset: number, length: number, contiguous: boolean): MaybePromise<GrainRun>;
  /** Fills `target` from byte `offset`, which `run`, of kind `data` or `compressed`, begins with. */
  read(target: Uint8Array, offset: number, run: GrainRun): MaybePromise<void>;
}
