import type { BlockDevice } from '../../../block/block-device.ts';
import { refcountCodec } from '../refcount-codec.ts';
import type { CheckContext } from './check-context.ts';
import { refcountsInBlock } from './disk-refcounts.ts';
import { readPadded } from './read-padded.ts';

/** Whether every wrong refcount can be written where it is, which needs a block that nothing else uses. */
export function canRepairInPlace(context: CheckContext): boolean {
  const { counter, disk, header } = context;
  if (disk.problems.size > 0) return false;
  for (const offset of disk.blockOffsets) if (offset !== 0 && !isOwnBlock(context, offset)) return false;
  const entries = refcountsInBlock(header);
  for (const cluster of counter.counts.differences(disk.counts, counter.clusterCount)) {
    if ((disk.blockOffsets[Math.floor(cluster / entries)] ?? 0) === 0) return false;
  }
  return true;
}

/** Writes the counts that were found over the refcounts that are `repairs`; each is written for itself, in any order. */
export async function repairRefcounts(
  context: CheckContext,
  repairs: (used: number, refcount: number) => boolean,
): Promise<void> {
  const { counter, disk, file, header } = context;
  const entries = refcountsInBlock(header);
  let block = new OpenBlock(file, 0, new DataView(new ArrayBuffer(0)));
  for (const cluster of counter.counts.differences(disk.counts, counter.clusterCount)) {
    const used = counter.counts.get(cluster);
    const offset = disk.blockOffsets[Math.floor(cluster / entries)] ?? 0;
    if (!repairs(used, disk.counts.get(cluster)) || offset === 0 || !isOwnBlock(context, offset)) continue;
    if (block.offset !== offset) {
      await block.write();
      block = new OpenBlock(file, offset, await readPadded(file, offset, 2 ** header.clusterBits));
    }
    refcountCodec(header.refcountOrder).set(block.view, cluster % entries, used);
  }
  await block.write();
}

function isOwnBlock({ counter, header }: CheckContext, offset: number): boolean {
  return counter.counts.get(offset / 2 ** header.clusterBits) === 1;
}

/** A refcount block that is being changed. */
class OpenBlock {
  readonly offset: number;
  readonly view: DataView<ArrayBuffer>;
  readonly #file: BlockDevice;

  constructor(file: BlockDevice, offset: number, view: DataView<ArrayBuffer>) {
    this.#file = file;
    this.offset = offset;
    this.view = view;
  }

  async write(): Promise<void> {
    if (this.view.byteLength > 0) await this.#file.write(new Uint8Array(this.view.buffer), this.offset);
  }
}
