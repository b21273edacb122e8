import type { BlockRun } from './block-run.ts';
import type { FileExtent } from './file-system.ts';
import type { FileSystemVolume } from './file-system-volume.ts';

/** The content of a file that is in blocks of one size. */
export interface BlockContent {
  readonly volume: FileSystemVolume;
  /** In bytes. */
  readonly blockSize: number;
  /** In bytes. */
  readonly size: number;
  /** Names the file in errors. */
  readonly inode: number;
  /** The run of blocks from block `index` of the file on: at least one, at most `count` of them. */
  findRun(index: number, count: number): Promise<BlockRun>;
}

/** The runs of a file's content, up to its size. */
export async function* blockExtents({ blockSize, size, findRun }: BlockContent): AsyncGenerator<FileExtent> {
  const blockCount = Math.ceil(size / blockSize);
  for (let index = 0; index < blockCount; ) {
    const { kind, block, count } = await findRun(index, blockCount - index);
    const offset = index * blockSize;
    const length = Math.min(size - offset, count * blockSize);
    yield { offset, length, kind, ...(kind !== 'hole' && { place: block * blockSize }) };
    index += count;
  }
}

/** Reads from `offset` of a file's content until `target` is full or the content ends; returns how many bytes. */
export async function readBlocks(content: BlockContent, target: Uint8Array, offset: number): Promise<number> {
  const { blockSize, inode, size, volume } = content;
  const length = Math.max(0, Math.min(target.length, size - offset));
  const lastIndex = Math.ceil((offset + length) / blockSize);
  for (let done = 0; done < length; ) {
    const index = Math.floor((offset + done) / blockSize);
    const { kind, block, count } = await content.findRun(index, lastIndex - index);
    const inside = (offset + done) % blockSize;
    const part = target.subarray(done, Math.min(length, done + count * blockSize - inside));
    if (kind === 'data') await volume.read(part, block * blockSize + inside, `inode ${inode}`);
    else part.fill(0);
    done += part.length;
  }
  return length;
}
