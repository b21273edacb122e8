import { isVarveError } from '../../../base/varve-error.ts';
import type { Ext4Volume } from '../volume.ts';
import { UsedInodes } from './used-inodes.ts';

/** So many inodes are looked at, and so many directories tried: a guess has to cost less than looking in all. */
const mostInodes = 2048;
const mostDirectories = 16;

/**
 * Directories that a file may be in: those of its group with lower numbers, the next one first. Linux takes inodes for files
 * from the group of their directory, which is mostly made right before them.
 */
export async function* likelyParents(volume: Ext4Volume, file: number): AsyncGenerator<number> {
  const { inodesPerGroup } = volume.superblock;
  const used = new UsedInodes(volume);
  const first = Math.floor((file - 1) / inodesPerGroup) * inodesPerGroup + 1;
  let found = 0;
  for (let number = file - 1; number >= Math.max(first, file - mostInodes) && found < mostDirectories; number--) {
    if (!(await used.has(number)) || !(await isDirectory(volume, number))) continue;
    found += 1;
    yield number;
  }
}

async function isDirectory(volume: Ext4Volume, number: number): Promise<boolean> {
  try {
    return (await volume.inode(number)).stat.kind === 'directory';
  } catch (error) {
    // Nobody asked for this one.
    if (isVarveError(error, 'CORRUPT')) return false;
    throw error;
  }
}
