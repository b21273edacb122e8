import { type BlockContent, blockExtents, readBlocks } from '../block-content.ts';
import type { BlockRun } from '../block-run.ts';
import type { FileExtent } from '../file-system.ts';
import { inlineRest } from './extended-attributes.ts';
import { findExtent } from './extent-tree.ts';
import { findMapped } from './indirect-blocks.ts';
import { type Inode, inodeFlags } from './inode.ts';
import type { Ext4Volume } from './volume.ts';

/** What an inode holds in itself, or undefined where its content is in blocks. */
export function inlineContent(volume: Ext4Volume, inode: Inode): Uint8Array | undefined {
  if ((inode.flags & inodeFlags.inlineData) === 0) return undefined;
  const rest = inlineRest(volume, inode);
  const content = new Uint8Array(inode.blockArea.length + rest.length);
  content.set(inode.blockArea);
  content.set(rest, inode.blockArea.length);
  return content;
}

/** The run of blocks from block `index` of a file on, at most `count` of them. @throws VarveError `CORRUPT` */
export async function findRun(volume: Ext4Volume, inode: Inode, index: number, count: number): Promise<BlockRun> {
  if ((inode.flags & inodeFlags.encrypted) !== 0) throw volume.unsupported(`inode ${inode.number} is encrypted`);
  const find = (inode.flags & inodeFlags.extents) === 0 ? findMapped : findExtent;
  return await find(volume, inode, index, count);
}

/** The runs of an inode's content, up to its size. */
export async function* extentsOf(volume: Ext4Volume, inode: Inode): AsyncGenerator<FileExtent> {
  const { size } = inode.stat;
  const inline = inlineContent(volume, inode)?.subarray(0, size);
  if (inline !== undefined) {
    if (inline.length > 0) yield { offset: 0, length: inline.length, kind: 'data' };
    if (inline.length < size) yield { offset: inline.length, length: size - inline.length, kind: 'hole' };
    return;
  }
  yield* blockExtents(contentOf(volume, inode));
}

/** Reads from `offset` of an inode's content until `target` is full or the content ends; returns how many bytes. */
export async function readContent(
  volume: Ext4Volume,
  inode: Inode,
  target: Uint8Array,
  offset: number,
): Promise<number> {
  const length = Math.max(0, Math.min(target.length, inode.stat.size - offset));
  const inline = inlineContent(volume, inode);
  if (inline !== undefined) {
    // mke2fs makes long holes this way: what the inode has no room for is zeros.
    target.fill(0, 0, length);
    target.set(inline.subarray(offset, offset + length));
    return length;
  }
  return await readBlocks(contentOf(volume, inode), target, offset);
}

function contentOf(volume: Ext4Volume, inode: Inode): BlockContent {
  return {
    volume,
    blockSize: volume.superblock.blockSize,
    size: inode.stat.size,
    inode: inode.number,
    findRun: (index, count) => findRun(volume, inode, index, count),
  };
}
