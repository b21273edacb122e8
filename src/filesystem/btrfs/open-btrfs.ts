import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, OpenFileSystemOptions } from '../file-system.ts';
import { BtrfsFileSystem } from './btrfs-file-system.ts';
import { Forest } from './forest.ts';
import { joinDevices } from './join-devices.ts';
import { replayLog } from './log/replay-log.ts';
import { readChunks } from './read-chunks.ts';
import { identityOf, newestSuperblock } from './read-superblock.ts';
import { Subvolumes } from './subvolumes.ts';
import { BtrfsVolume } from './volume.ts';

/** Opens a Btrfs, its log replayed in memory. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function openBtrfs(
  device: BlockDevice,
  { name, others = [] }: OpenFileSystemOptions,
): Promise<FileSystem> {
  const own = await newestSuperblock(device, name);
  const { devices, joined, superblock } = await joinDevices(device, own.superblock, others);
  const { isFirst } = own;
  const volume = new BtrfsVolume(joined, superblock, name, devices);
  await readChunks(volume);
  const forest = new Forest(volume);
  await replayLog(forest);
  const subvolumes = new Subvolumes(forest);
  const id = await subvolumes.defaultId();
  const top = await subvolumes.open(id);
  if (top === undefined) throw volume.corrupt(`its default subvolume, ${id}, is not there`);
  const isClean = superblock.isSound && isFirst && superblock.log === undefined && superblock.deviceCount === 1;
  const fileSystem = new BtrfsFileSystem({ forest, subvolumes, identity: identityOf(superblock), top, isClean });
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`the root of subvolume ${id}, inode ${top.rootDirectory}, is a ${kind}`);
}
