import type { BlockRun } from '../../block-run.ts';
import { blocksOfExtents } from '../extent-tree.ts';
import { blocksOfNumbers } from '../indirect-blocks.ts';
import { type Inode, inodeFlags } from '../inode.ts';
import type { Ext4Volume } from '../volume.ts';

/** All blocks that an inode has: content, what finds it, and attributes. @throws VarveError `CORRUPT` */
export async function* ownedBlocks(volume: Ext4Volume, inode: Inode): AsyncGenerator<BlockRun> {
  if (inode.attributeBlock !== 0) yield { kind: 'data', block: inode.attributeBlock, count: 1 };
  if (hasBlocks(inode)) {
    const isTree = (inode.flags & inodeFlags.extents) !== 0;
    yield* isTree ? blocksOfExtents(volume, inode) : blocksOfNumbers(volume, inode);
  }
}

function hasBlocks({ flags, stat, blockArea }: Inode): boolean {
  if ((flags & inodeFlags.inlineData) !== 0) return false;
  if ((flags & inodeFlags.extents) !== 0) return true;
  if (stat.kind === 'symlink') return stat.size >= blockArea.length;
  return stat.kind === 'file' || stat.kind === 'directory';
}
