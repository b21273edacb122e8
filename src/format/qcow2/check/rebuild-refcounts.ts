import { VarveError } from '../../../base/varve-error.ts';
import { isResizable } from '../../../block/block-device.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { ImageFile } from '../image-file.ts';
import { refcountCodec } from '../refcount-codec.ts';
import type { CheckContext } from './check-context.ts';
import type { ClusterCounts } from './cluster-counts.ts';
import { refcountsInBlock } from './disk-refcounts.ts';

const maximumTableLength = 8 * 2 ** 20;

/** Where new refcount blocks and the table behind them go. */
interface Plan {
  /** The first cluster of the first block. */
  readonly first: number;
  /** The indexes of the blocks there are to be, in order. */
  readonly blocks: readonly number[];
  readonly tableClusters: number;
}

/**
 * Writes a new refcount table and all its blocks behind everything that is in use, and then makes the header point to
 * them. The counts are those that were found, without the old table and blocks, which are free then.
 *
 * @throws VarveError `NO_SPACE` where they have no room
 */
export async function rebuildRefcounts(context: CheckContext): Promise<void> {
  const { counter, disk, file, header, name } = context;
  const clusterSize = 2 ** header.clusterBits;
  const first = counter.counts.last(counter.clusterCount) + 1;
  counter.remove(header.refcountTableOffset, header.refcountTableClusters * clusterSize);
  for (const [index, offset] of disk.blockOffsets.entries()) {
    if (offset !== 0 && !disk.problems.has(index)) counter.remove(offset, clusterSize);
  }
  const plan = planFor(context, first);
  await writeStructures(context, plan);
  await file.flush();
  const refcountTableOffset = (plan.first + plan.blocks.length) * clusterSize;
  const image = new ImageFile(file, header, name);
  await runSteps(image.changeFields({ refcountTableOffset, refcountTableClusters: plan.tableClusters }));
  await file.flush();
}

function planFor(context: CheckContext, first: number): Plan {
  const { counter, file, header, name } = context;
  const clusterSize = 2 ** header.clusterBits;
  const entries = refcountsInBlock(header);
  const blocks = new Set<number>();
  for (const cluster of counter.counts.nonZero(counter.clusterCount)) blocks.add(Math.floor(cluster / entries));
  for (let tableClusters = 0; ; ) {
    const end = first + blocks.size + tableClusters;
    const blockCount = blocks.size;
    for (let index = Math.floor(first / entries); index * entries < end; index += 1) blocks.add(index);
    const needed = Math.ceil((highest(blocks) + 1) / (clusterSize / 8));
    if (needed * clusterSize > maximumTableLength || (!isResizable(file) && end * clusterSize > file.size)) {
      throw new VarveError('NO_SPACE', `cannot repair ${name}: there is no room for new refcounts in it`);
    }
    if (blocks.size === blockCount && needed === tableClusters) {
      return { first, blocks: [...blocks].sort((one, two) => one - two), tableClusters };
    }
    tableClusters = needed;
  }
}

function highest(blocks: ReadonlySet<number>): number {
  let found = 0;
  for (const index of blocks) found = Math.max(found, index);
  return found;
}

async function writeStructures({ counter, file, header }: CheckContext, plan: Plan): Promise<void> {
  const clusterSize = 2 ** header.clusterBits;
  const table = new DataView(new ArrayBuffer(plan.tableClusters * clusterSize));
  const newEnd = plan.first + plan.blocks.length + plan.tableClusters;
  for (let cluster = plan.first; cluster < newEnd; cluster += 1) counter.counts.set(cluster, 1);
  for (const [order, index] of plan.blocks.entries()) {
    const offset = (plan.first + order) * clusterSize;
    table.setBigUint64(index * 8, BigInt(offset));
    await file.write(blockOf(counter.counts, index, header), offset);
  }
  await file.write(new Uint8Array(table.buffer), (plan.first + plan.blocks.length) * clusterSize);
}

function blockOf(counts: ClusterCounts, index: number, header: CheckContext['header']): Uint8Array {
  const block = new DataView(new ArrayBuffer(2 ** header.clusterBits));
  const entries = refcountsInBlock(header);
  const codec = refcountCodec(header.refcountOrder);
  for (let entry = 0; entry < entries; entry += 1) {
    const count = counts.get(index * entries + entry);
    if (count !== 0) codec.set(block, entry, count);
  }
  return new Uint8Array(block.buffer);
}
