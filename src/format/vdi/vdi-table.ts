import type { BlockDevice } from '../../block/block-device.ts';
import type { FlatTable } from '../flat-block-map.ts';
import type { VdiHeader } from './header.ts';

/** Entries of the block map that are no block's place: nobody wrote the block, or somebody said that it is not needed. */
export const vdiEntry = { unallocated: 0xffff_ffff, discarded: 0xffff_fffe } as const;

/** How the block map of an image is read. A block without a place reads as zeros: such images build on nothing. */
export function vdiTable(file: BlockDevice, header: VdiHeader, name: string): FlatTable {
  const { blockExtra, blockSize, blocksInImage, bmapOffset, dataOffset } = header;
  return {
    ...{ file, name, tableName: 'block map', offset: bmapOffset, entryCount: blocksInImage, blockSize },
    kindOf: (entry) => (entry < vdiEntry.discarded ? 'data' : 'zero'),
    placeOf: (entry) => dataOffset + entry * (blockSize + blockExtra) + blockExtra,
  };
}
