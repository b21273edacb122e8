import type { BlockDevice } from '../../block/block-device.ts';
import type { FlatTable } from '../flat-block-map.ts';
import type { VdiHeader } from './header.ts';

/** An entry of the block map for a block that is not needed any more; the one above is for one that nobody wrote. */
const discarded = 0xffff_fffe;

/** How the block map of an image is read. A block without a place reads as zeros: such images build on nothing. */
export function vdiTable(file: BlockDevice, header: VdiHeader, name: string): FlatTable {
  const { blockExtra, blockSize, blocksInImage, bmapOffset, dataOffset } = header;
  return {
    ...{ file, name, tableName: 'block map', offset: bmapOffset, entryCount: blocksInImage, blockSize },
    kindOf: (entry) => (entry < discarded ? 'data' : 'zero'),
    placeOf: (entry) => dataOffset + entry * (blockSize + blockExtra) + blockExtra,
  };
}
