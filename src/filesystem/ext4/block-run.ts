import type { ExtentKind } from '../../block/block-device.ts';

/** Some blocks of a file that are alike, from one that was asked for on. */
export interface BlockRun {
  readonly kind: ExtentKind;
  /** The first of them on the disk; 0 where there is nothing. */
  readonly block: number;
  readonly count: number;
}
