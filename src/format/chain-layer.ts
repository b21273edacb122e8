import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import type { FormatDevice } from './image-format.ts';

/** What a layer says of some bytes of the disk; `unallocated` ones are those of the layer below. */
export type LayerRunKind = 'data' | 'zero' | 'unallocated' | 'compressed';

/** A run of a disk as one file of a chain has it, without those below. Offset and lengths in bytes. */
export interface LayerRun {
  readonly kind: LayerRunKind;
  /** A compressed run ends with its cluster at the latest. */
  readonly length: number;
  /** Where `data` starts in the file; where the cluster does that a `compressed` run is a part of. */
  readonly hostOffset: number;
  /** How many bytes of the file hold the cluster of a `compressed` run; 0 for other kinds. */
  readonly compressedLength: number;
}

/** An image that tells what it holds itself, so that a chain of such images can be read through one index. */
export interface ChainLayer extends FormatDevice {
  /** What it builds on, which it disposes of. */
  readonly below: BlockDevice | undefined;
  /** Bytes of the disk whose places one table of its own tells. */
  readonly tableCoverage: number;
  /** The run that starts at byte `offset` of the disk, at most `length` bytes long. */
  lookupLayer(offset: number, length: number): MaybePromise<LayerRun>;
  /** Fills `target`, which is as long as `run`, with what a `data` or `compressed` run at `offset` holds. */
  readLayer(target: Uint8Array, offset: number, run: LayerRun): MaybePromise<void>;
  /** Whether clusters of `data` may lie in holes of the file, so that `extents` of its own has to be asked about them. */
  hasSparseData(): MaybePromise<boolean>;
  /** Gives up what it keeps in memory of its tables. */
  forgetTables(): void;
}

/** Whether a device is an image that a chain can be merged of. */
export function isChainLayer(device: BlockDevice): device is ChainLayer {
  return 'lookupLayer' in device;
}
