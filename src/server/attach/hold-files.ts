import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileSystem } from '../../filesystem/file-systems.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { GuestTree } from '../../guest/guest-tree.ts';
import { openGuest } from '../../guest/open-guest.ts';
import { isMachineRoot } from '../../linux/user-namespace.ts';
import { readPartitionTable } from '../../partition/read-partition-table.ts';
import { type FileTree, guestFileTree } from '../fuse/file-place.ts';
import { guestFiles } from '../fuse/guest-files.ts';
import type { MountedFiles } from './attachment.ts';
import type { Held } from './held.ts';
import { type AttachedDiskRequest, openAttachedDisk } from './open-attached-disk.ts';
import { requirePartition } from './require-partition.ts';

/** What everything that is mounted so looks like from above: its uppermost directory may be anything else. */
const directoryMode = 0o040755;

/**
 * Opens a disk to have its files mounted, read by our own file systems. Everybody may see them by their modes where the
 * machine's root mounts them, and who mounts them all of them otherwise.
 *
 * @throws VarveError as `openAttachedDisk` and `openGuest` do, `NOT_FOUND` for a partition or directory that is not there,
 *   `INVALID` for what is no directory
 */
export async function holdFiles(request: AttachedDiskRequest, files: MountedFiles): Promise<Held> {
  await using stack = new AsyncDisposableStack();
  const { access, device } = stack.use(await openAttachedDisk(request));
  const tree = await openTree(device, { ...files, name: request.disk }, stack);
  const { kind } = await tree.root.fileSystem.stat(tree.root.node);
  if (kind !== 'directory') {
    throw new VarveError('INVALID', `cannot mount ${request.disk}:${files.inner}: it is a ${kind}, and no directory`);
  }
  const isShared = isMachineRoot() || files.allowOther;
  const held = stack.move();
  return {
    ...{ operations: guestFiles(tree, { checksAccess: isShared }), access, size: device.size },
    how: { rootMode: directoryMode, readOnly: true, allowOther: isShared, checksAccess: isShared },
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

interface NamedFiles extends MountedFiles {
  /** The disk's, for messages. */
  readonly name: string;
}

async function openTree(device: BlockDevice, files: NamedFiles, stack: AsyncDisposableStack): Promise<FileTree> {
  const { inner = '/', name } = files;
  const place = await placeIn(device, files);
  if (place === undefined) return await guestFileTree(stack.use(await openGuest(device, { name })), inner);
  const fileSystem = stack.use(await openFileSystem(sliceFilter(device, place), { name }));
  const root = await new GuestTree(new Map([['/', fileSystem]]), name).resolve(inner);
  return { root, mounts: [] };
}

/** Where in the disk the file system is that is meant, in bytes; undefined where all of the disk is. */
async function placeIn(
  device: BlockDevice,
  { name, offset, partition }: NamedFiles,
): Promise<{ readonly offset: number; readonly length: number } | undefined> {
  if (partition !== undefined) {
    const table = await readPartitionTable(device, { name });
    return requirePartition(table?.partitions, partition, name);
  }
  if (offset === undefined) return undefined;
  if (offset < device.size) return { offset, length: device.size - offset };
  throw new VarveError('INVALID', `there is nothing at byte ${offset} of ${name}, which has ${device.size}`);
}
