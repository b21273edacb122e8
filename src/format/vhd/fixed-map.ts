import type { BlockMap, BlockRun } from '../block-map.ts';

/** A fixed disk: the file's bytes are the disk's, up to the footer. */
export const fixedMap: BlockMap = {
  lookup: (offset, length): BlockRun => ({ kind: 'data', length, hostOffset: offset }),
};
