import { clearBitRuns } from '../clear-bits.ts';
import type { Allocation } from './cluster-chain.ts';
import type { ExfatVolume } from './exfat-volume.ts';

/**
 * The runs of clusters that are free, in order, counted from cluster 2: those whose bits are clear.
 *
 * Source: Microsoft, exFAT file system specification, section 7.1.5.
 */
export async function* freeRuns(
  volume: ExfatVolume,
  allocation: Allocation,
): AsyncGenerator<{ readonly start: number; readonly count: number }> {
  const { clusterCount } = volume.layout;
  const what = 'the allocation bitmap';
  const chain = volume.chain(allocation, what);
  const length = Math.ceil(clusterCount / 8);
  if (allocation.length! < length) throw volume.corrupt(`${what} has ${allocation.length} bytes, and needs ${length}`);
  yield* clearBitRuns(clusterCount, (target, offset) => volume.readChain(chain, target, offset, what));
}
