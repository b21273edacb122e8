import type { FileExtent } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { findRun } from './extent-map.ts';
import type { Inode } from './inode.ts';
import type { XfsVolume } from './volume.ts';

/** The runs of a file's content, up to its size. @throws VarveError `CORRUPT`; `UNSUPPORTED` for a realtime file */
export async function* extentsOf(volume: XfsVolume, inode: Inode): AsyncGenerator<FileExtent> {
  refuseRealtime(volume, inode);
  const { size } = inode.stat;
  const { blockSize } = volume.superblock;
  const blockCount = Math.ceil(size / blockSize);
  for (let index = 0; index < blockCount; ) {
    const { kind, block, count } = await findRun(volume, inode.data, index, blockCount - index);
    const offset = index * blockSize;
    const length = Math.min(size - offset, count * blockSize);
    yield { offset, length, kind, ...(kind !== 'hole' && { place: block * blockSize }) };
    index += count;
  }
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
  const length = Math.max(0, Math.min(target.length, inode.stat.size - offset));
  const { blockSize } = volume.superblock;
  const lastIndex = Math.ceil((offset + length) / blockSize);
  for (let done = 0; done < length; ) {
    const index = Math.floor((offset + done) / blockSize);
    const { kind, block, count } = await findRun(volume, inode.data, index, lastIndex - index);
    const inside = (offset + done) % blockSize;
    const part = target.subarray(done, Math.min(length, done + count * blockSize - inside));
    if (kind === 'data') await readInside(volume.device, part, block * blockSize + inside, `inode ${inode.number}`);
    else part.fill(0);
    done += part.length;
  }
  return length;
}

function refuseRealtime(volume: XfsVolume, { isRealtime, number }: Inode): void {
  if (isRealtime) throw volume.unsupported(`the content of inode ${number} is on a realtime device`);
}
