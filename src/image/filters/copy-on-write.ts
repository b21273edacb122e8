import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { openTemporaryDevice } from '../../block/nameless-file.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import type { FilterArguments } from './filter-arguments.ts';
import type { DiskFilter } from './filter-chain.ts';

/** `cow`, `cow=memory` */
export function copyOnWrite(args: FilterArguments): Pick<DiskFilter, 'apply'> {
  const inMemory = args.choice(args.value(), { memory: true, file: false }) ?? false;
  return {
    async apply(device): Promise<BlockDevice> {
      const { size } = device;
      return overlayFilter(device, inMemory ? memoryDevice(size) : await openTemporaryDevice(size));
    },
  };
}
