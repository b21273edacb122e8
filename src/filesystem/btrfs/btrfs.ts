import { isVarveError } from '../../base/varve-error.ts';
import type { FileSystemDriver } from '../file-system.ts';
import { hasBtrfsMark, identityOf, newestSuperblock } from './read-superblock.ts';

/** Btrfs, as far as its devices are there; the uppermost directory is that of the default subvolume. */
export const btrfs: FileSystemDriver = {
  types: ['btrfs'],
  async identify(device) {
    if (!(await hasBtrfsMark(device))) return undefined;
    try {
      return identityOf((await newestSuperblock(device, '')).superblock);
    } catch (error) {
      if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
      throw error;
    }
  },
  async open(device, options) {
    // Loaded when there is one: the disks that have none need not wait for it.
    const { openBtrfs } = await import('./open-btrfs.ts');
    return await openBtrfs(device, options);
  },
};
