import type { BlockDevice } from '../block/block-device.ts';
import { ContentMap } from '../store/content-map.ts';
import { readAheadDevice } from '../store/read-ahead-device.ts';
import type { FileDisk } from './file-disk.ts';
import type { SnapshotDisk } from './open-disk.ts';

/** A disk that is open, or one that was made of such: what it is called, and what it holds. */
export type ReadableDisk = SnapshotDisk | Pick<FileDisk, 'device' | 'kind' | 'label'>;

/** Calls `use` with the quickest device for reading all of a disk from front to back; it is `use`'s only meanwhile. */
export async function readInOrder<T>(disk: ReadableDisk, use: (device: BlockDevice) => Promise<T>): Promise<T> {
  if (disk.kind !== 'snapshot') return await use(disk.device);
  const map = await ContentMap.open(disk.store.reader, disk.snapshot.root);
  await using device = readAheadDevice(disk.store, map, disk.device);
  return await use(device);
}
