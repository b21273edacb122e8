import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import type { DiskFilter } from '../filters/filter-chain.ts';
import { type SparsifyOptions, trimUnused } from './trim-unused.ts';

/** A filter through which what a disk's file systems do not use reads as zeros; for copies. */
export function unusedAsZeros(options: SparsifyOptions): DiskFilter {
  return {
    spec: 'sparsify',
    keepsWrites: true,
    async apply(device: BlockDevice, { label }) {
      const view = overlayFilter(device, memoryDevice(device.size));
      await trimUnused(view, { ...options, name: label });
      return view;
    },
  };
}
