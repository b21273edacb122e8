import type { ExtentKind } from '../block/block-device.ts';

/** Some blocks of a file, or of a fork of one, that are alike, from one that was asked for on. */
export interface BlockRun {
  readonly kind: ExtentKind;
  /** The first of them, counted from the start of the disk; 0 where there is nothing. */
  readonly block: number;
  readonly count: number;
}
