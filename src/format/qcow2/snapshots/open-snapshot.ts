import type { BlockDevice } from '../../../block/block-device.ts';
import type { FormatDevice, OpenImageOptions } from '../../image-format.ts';
import { checkHeader } from '../check-header.ts';
import { openWithHeader } from '../open-qcow2.ts';
import { readHeader } from '../read-header.ts';
import { findSnapshot } from './find-snapshot.ts';
import { readSnapshotTable } from './read-snapshots.ts';

/**
 * The disk in a qcow2 image as it was when an internal snapshot was made, to be read. `snapshot` is its id or its name.
 * The file belongs to the returned device, as with `openQcow2`.
 *
 * @throws VarveError `NOT_FOUND` where there is no such snapshot, and what `openQcow2` throws
 */
export async function openQcow2Snapshot(
  file: BlockDevice,
  snapshot: string,
  options: Omit<OpenImageOptions, 'writable'>,
): Promise<FormatDevice> {
  const { name } = options;
  const header = await readHeader(file, name);
  checkHeader(header, file.size, name);
  const { entries } = await readSnapshotTable(file, header, name);
  const { diskSize = header.size, l1Size, l1TableOffset } = findSnapshot(entries, snapshot, name);
  const then = { ...header, l1Size, l1TableOffset, size: diskSize };
  checkHeader(then, file.size, `${name}, snapshot ${JSON.stringify(snapshot)}`);
  return openWithHeader(file, then, options);
}
