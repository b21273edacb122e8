import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid, zeroGuid } from '../../bytes/guid.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { replayedDevice } from '../replayed-device.ts';
import { Ext4FileSystem } from './ext4-file-system.ts';
import { readContent } from './file-content.ts';
import { type ReplayedJournal, replayJournal } from './journal/replay-journal.ts';
import {
  compat,
  decodeSuperblock,
  incompat,
  looksLikeExt,
  roCompat,
  type Superblock,
  superblockLength,
  superblockOffset,
} from './superblock.ts';
import { Ext4Volume } from './volume.ts';

const stateUnmounted = 1;
const stateErrors = 2;

/** ext2, ext3 and ext4. A journal that was not written back is read in its place, and left as it is. */
export const ext4: FileSystemDriver = {
  types: ['ext2', 'ext3', 'ext4'],
  async identify(device) {
    if (device.size < superblockOffset + superblockLength) return undefined;
    const bytes = new Uint8Array(superblockLength);
    await device.read(bytes, superblockOffset);
    if (!looksLikeExt(bytes)) return undefined;
    try {
      return identityOf(decodeSuperblock(bytes, ''));
    } catch (error) {
      if (isVarveError(error)) return undefined;
      throw error;
    }
  },
  open: openExt4,
};

async function openExt4(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const superblock = await readSuperblock(device, name);
  const isClean = (superblock.state & (stateUnmounted | stateErrors)) === stateUnmounted;
  if ((superblock.incompat & incompat.recover) === 0) {
    return await openVolume(new Ext4Volume(device, superblock, name), isClean);
  }
  const { blocks, tags } = await journalOf(device, superblock, name);
  const replayed = replayedDevice(device, blocks, superblock.blockSize);
  const current = await readSuperblock(replayed, name);
  const volume = new Ext4Volume(replayed, current, name);
  if (tags.length === 0) return await openVolume(volume, false);
  // Few file systems have them.
  const { applyFastCommits } = await import('./fast-commits/apply-fast-commits.ts');
  const files = new Ext4FileSystem(volume, identityOf(current), false);
  const changedBlocks = new Map<number, Uint8Array>(blocks);
  const changed = await applyFastCommits(tags, { device, blocks: changedBlocks, files, volume, name });
  const latest = replayedDevice(device, changedBlocks, current.blockSize);
  return await openVolume(new Ext4Volume(latest, current, name, changed), false);
}

async function openVolume(volume: Ext4Volume, isClean: boolean): Promise<FileSystem> {
  const fileSystem = new Ext4FileSystem(volume, identityOf(volume.superblock), isClean);
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`its root, inode ${fileSystem.root}, is a ${kind}`);
}

async function readSuperblock(device: BlockDevice, name: string): Promise<Superblock> {
  const bytes = new Uint8Array(superblockLength);
  await readInside(device, bytes, superblockOffset, `${name}: ext4 superblock`);
  return decodeSuperblock(bytes, name);
}

async function journalOf(device: BlockDevice, superblock: Superblock, name: string): Promise<ReplayedJournal> {
  const volume = new Ext4Volume(device, superblock, name);
  const { blockSize, journalInode } = superblock;
  if (journalInode === 0) throw volume.unsupported('its journal, which is on another disk, was not written back');
  const inode = await volume.inode(journalInode);
  return await replayJournal({
    blockSize,
    async read(index) {
      const block = new Uint8Array(blockSize);
      const length = await readContent(volume, inode, block, index * blockSize);
      if (length === blockSize) return block;
      throw volume.corrupt(`its journal ends before block ${index}`);
    },
    corrupt: (why) => volume.corrupt(why),
    unsupported: (why) => volume.unsupported(why),
  });
}

function identityOf(superblock: Superblock): FileSystemIdentity {
  const { blockSize, blockCount, label } = superblock;
  const uuid = decodeUuid(superblock.uuid);
  return {
    ...{ type: typeOf(superblock), blockSize, size: blockCount * blockSize },
    label: label === '' ? undefined : label,
    uuid: uuid === zeroGuid ? undefined : uuid,
  };
}

/** As blkid tells them apart: by the features that ext3 and ext2 do not have. */
function typeOf(superblock: Superblock): string {
  const hasMore =
    (superblock.incompat & ~(incompat.fileType | incompat.recover | incompat.metaGroups)) !== 0 ||
    (superblock.roCompat & ~(roCompat.sparseSuper | 0x2 | 0x4)) !== 0;
  if (hasMore) return 'ext4';
  return (superblock.compat & compat.journal) === 0 ? 'ext2' : 'ext3';
}
