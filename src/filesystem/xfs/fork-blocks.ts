import { findRun } from './extent-map.ts';
import type { Fork } from './inode.ts';
import { bytesOf } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

/** A block of names or attributes: one or more of the disk. */
export interface ForkBlock {
  readonly view: DataView;
  /** Where it begins, in blocks of the disk. */
  readonly block: number;
}

/**
 * The `count` blocks from block `index` of a fork on, in one piece; undefined where there are none.
 *
 * @throws VarveError `CORRUPT` where some are missing
 */
export async function readForkBlocks(
  volume: XfsVolume,
  fork: Fork,
  index: number,
  count: number,
): Promise<ForkBlock | undefined> {
  const what = `block ${index} of ${fork.name}`;
  const key = `${index} ${fork.name}`;
  const known = count > 1 ? volume.assembled.get(key) : undefined;
  if (known !== undefined) return known;
  const first = await findRun(volume, fork, index, count);
  if (first.kind === 'hole' && first.count >= count) return undefined;
  if (count === 1 && first.kind === 'data') return { view: await volume.block(first.block, what), block: first.block };
  const { blockSize } = volume.superblock;
  const bytes = new Uint8Array(count * blockSize);
  for (let done = 0; done < count; done++) {
    const run = await findRun(volume, fork, index + done, 1);
    if (run.kind !== 'data') throw volume.corrupt(`${what} is not all there`);
    bytes.set(bytesOf(await volume.block(run.block, what)), done * blockSize);
  }
  const made = { view: new DataView(bytes.buffer), block: first.block };
  volume.assembled.set(key, made, bytes.length);
  return made;
}
