import type { BlockDevice } from '../block/block-device.ts';
import { ContentMap } from '../store/content-map.ts';
import { readAheadDevice } from '../store/read-ahead-device.ts';
import type { Disk } from './open-disk.ts';

/** Calls `use` with the quickest device for reading all of a disk from front to back; it is `use`'s only meanwhile. */
export async function readInOrder<T>(disk: Disk, use: (device: BlockDevice) => Promise<T>): Promise<T> {
  if (disk.kind !== 'snapshot') return await use(disk.device);
  const map = await ContentMap.open(disk.store.reader, disk.snapshot.root);
  await using device = readAheadDevice(disk.store, map, disk.device);
  return await use(device);
}
