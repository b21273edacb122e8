import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem } from '../../filesystem/file-system.ts';
import { openFileSystem } from '../../filesystem/file-systems.ts';
import { sliceFilter } from '../../filter/slice.ts';
import { GuestTree } from '../../guest/guest-tree.ts';
import { openVolume } from '../../guest/guest-volume.ts';
import { mountVolumes } from '../../guest/mount-volumes.ts';
import { openGuest } from '../../guest/open-guest.ts';
import { isCalled } from '../../guest/volume-names.ts';
import { findGuestVolumes, type VolumeTreeOptions } from '../../guest/volume-tree.ts';
import { setReadAhead } from '../../linux/fuse/read-ahead.ts';
import { isMachineRoot } from '../../linux/user-namespace.ts';
import { readPartitionTable } from '../../partition/read-partition-table.ts';
import { guestFiles } from '../fuse/guest-files.ts';
import { type FileTree, guestFileTree } from '../guest-tree/file-place.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import type { MountedFiles } from './attachment.ts';
import type { Held } from './held.ts';
import { keySecret } from './key-secret.ts';
import { openAttachedDisk } from './open-attached-disk.ts';
import { requirePartition } from './require-partition.ts';
import { showByFuse } from './show-by-fuse.ts';

/** What everything that is mounted so looks like from above: its uppermost directory may be anything else. */
const directoryMode = 0o040755;
/** In bytes: as much as one request may read. */
const longestReadAhead = 2 ** 20;

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
  const tree = await openTree(device, { ...files, ...keySecret(request), name: request.disk }, stack);
  const { kind } = await tree.root.fileSystem.stat(tree.root.node);
  if (kind !== 'directory') {
    throw new VarveError('INVALID', `cannot mount ${request.disk}:${files.inner}: it is a ${kind}, and no directory`);
  }
  const isShared = isMachineRoot() || files.allowOther;
  const held = stack.move();
  const how = { rootMode: directoryMode, readOnly: true, allowOther: isShared, checksAccess: isShared };
  return {
    ...{ access, size: device.size },
    async show({ path: target }) {
      const shown = await showByFuse(guestFiles(tree, { checksAccess: isShared }), { ...how, target });
      if (shown.device !== undefined) setReadAhead(shown.device, longestReadAhead);
      return shown;
    },
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

interface NamedFiles extends MountedFiles, VolumeTreeOptions {}

async function openTree(device: BlockDevice, files: NamedFiles, stack: AsyncDisposableStack): Promise<FileTree> {
  const { inner = '/', name } = files;
  const fileSystem = await openOne(device, files, stack);
  if (fileSystem === undefined) return await guestFileTree(stack.use(await openGuest(device, files)), inner);
  const root = await new GuestTree(new Map([['/', fileSystem]]), name).resolve(inner);
  return { root, mounts: [] };
}

/** The file system that is meant; undefined where all of them are. */
async function openOne(
  device: BlockDevice,
  files: NamedFiles,
  stack: AsyncDisposableStack,
): Promise<FileSystem | undefined> {
  const { name, offset, partition, volume } = files;
  if (volume !== undefined) return await openNamed(device, { ...files, volume }, stack);
  if (partition === undefined && offset === undefined) return undefined;
  const place = partition === undefined ? restFrom(device, offset!, name) : await partitionOf(device, partition, name);
  return stack.use(await openFileSystem(sliceFilter(device, place), { name }));
}

async function openNamed(
  device: BlockDevice,
  { volume: wanted, ...options }: NamedFiles & { readonly volume: string },
  stack: AsyncDisposableStack,
): Promise<FileSystem> {
  const { name } = options;
  const { volumes } = stack.use(await mountVolumes(await findGuestVolumes(device, options), name));
  const found = volumes.find((volume) => isCalled(volume, wanted));
  const fileSystem = found && (await openVolume(found, name));
  if (fileSystem !== undefined) return stack.use(fileSystem);
  if (found?.problem !== undefined) throw found.problem;
  const names = volumes.filter(({ holds }) => holds === 'files').map((volume) => volume.name);
  const there = names.length === 0 ? 'it has none with files' : `there are files on ${names.join(', ')}`;
  throw new VarveError('NOT_FOUND', `cannot mount volume ${wanted} of ${name}: ${there}`);
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

async function partitionOf(device: BlockDevice, partition: number, name: string): Promise<Place> {
  const table = await readPartitionTable(device, { name });
  return requirePartition(table?.partitions, partition, name);
}

function restFrom(device: BlockDevice, offset: number, name: string): Place {
  if (offset < device.size) return { offset, length: device.size - offset };
  throw new VarveError('INVALID', `there is nothing at byte ${offset} of ${name}, which has ${device.size}`);
}
