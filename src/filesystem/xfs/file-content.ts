import { type BlockContent, blockExtents, readBlocks } from '../block-content.ts';
import type { FileExtent } from '../file-system.ts';
import { findRun } from './extent-map.ts';
import type { Inode } from './inode.ts';
import type { XfsVolume } from './volume.ts';

/** The runs of a file's content, up to its size. @throws VarveError `CORRUPT`; `UNSUPPORTED` for a realtime file */
export async function* extentsOf(volume: XfsVolume, inode: Inode): AsyncGenerator<FileExtent> {
  refuseRealtime(volume, inode);
  yield* blockExtents(contentOf(volume, inode));
}

/**
 * Reads from `offset` of a file's content until `target` is full or the content ends; returns how many bytes.
 *
 * @throws VarveError `CORRUPT`; `UNSUPPORTED` for a realtime file
 */
export async function readContent(
  volume: XfsVolume,
  inode: Inode,
  target: Uint8Array,
  offset: number,
): Promise<number> {
  refuseRealtime(volume, inode);
  return await readBlocks(contentOf(volume, inode), target, offset);
}

function contentOf(volume: XfsVolume, inode: Inode): BlockContent {
  return {
    volume,
    blockSize: volume.superblock.blockSize,
    size: inode.stat.size,
    inode: inode.number,
    findRun: (index, count) => findRun(volume, inode.data, index, count),
  };
}

function refuseRealtime(volume: XfsVolume, { isRealtime, number }: Inode): void {
  if (isRealtime) throw volume.unsupported(`the content of inode ${number} is on a realtime device`);
}
