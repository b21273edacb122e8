import type { BlockDevice } from '../../block/block-device.ts';
import type { FlatTable } from '../flat-block-map.ts';
import { type ParallelsHeader, parallelsHeaderLength } from './header.ts';

/** How the block allocation table of an image is read. */
export function batOf(file: BlockDevice, header: ParallelsHeader, name: string): FlatTable {
  const { batEntries, clusterSize, entryUnit } = header;
  return {
    ...{ file, name, tableName: 'BAT', offset: parallelsHeaderLength, entryCount: batEntries, blockSize: clusterSize },
    kindOf: (entry) => (entry === 0 ? 'backing' : 'data'),
    placeOf: (entry) => entry * entryUnit,
  };
}
