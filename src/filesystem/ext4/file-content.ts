import type { FileExtent } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import type { BlockRun } from './block-run.ts';
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
  const { blockSize } = volume.superblock;
  const inline = inlineContent(volume, inode)?.subarray(0, size);
  if (inline !== undefined) {
    if (inline.length > 0) yield { offset: 0, length: inline.length, kind: 'data' };
    if (inline.length < size) yield { offset: inline.length, length: size - inline.length, kind: 'hole' };
    return;
  }
  const blockCount = Math.ceil(size / blockSize);
  for (let index = 0; index < blockCount; ) {
    const { kind, block, count } = await findRun(volume, inode, index, blockCount - index);
    const offset = index * blockSize;
    const length = Math.min(size - offset, count * blockSize);
    yield { offset, length, kind, ...(kind !== 'hole' && { place: block * blockSize }) };
    index += count;
  }
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
  const { blockSize } = volume.superblock;
  const lastIndex = Math.ceil((offset + length) / blockSize);
  for (let done = 0; done < length; ) {
    const index = Math.floor((offset + done) / blockSize);
    const { kind, block, count } = await findRun(volume, inode, index, lastIndex - index);
    const inside = (offset + done) % blockSize;
    const part = target.subarray(done, Math.min(length, done + count * blockSize - inside));
    if (kind === 'data') await readInside(volume.device, part, block * blockSize + inside, `inode ${inode.number}`);
    else part.fill(0);
    done += part.length;
  }
  return length;
}
