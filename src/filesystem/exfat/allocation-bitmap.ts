import { Bitmap } from '../../bytes/bitmap.ts';
import type { Allocation } from './cluster-chain.ts';
import type { ExfatVolume } from './exfat-volume.ts';

const pieceLength = 1 << 16;

/**
 * The runs of clusters that are free, as first cluster and count, in order: those whose bits are clear, the first bit being
 * that of cluster 2. Neighbouring runs are not joined.
 *
 * Source: Microsoft, exFAT file system specification, section 7.1.5.
 */
export async function* freeRuns(
  volume: ExfatVolume,
  allocation: Allocation,
): AsyncGenerator<{ readonly cluster: number; readonly count: number }> {
  const { clusterCount } = volume.layout;
  const what = 'the allocation bitmap';
  const chain = volume.chain(allocation, what);
  const length = Math.ceil(clusterCount / 8);
  if (allocation.length! < length) throw volume.corrupt(`${what} has ${allocation.length} bytes, and needs ${length}`);
  for (let offset = 0; offset < length; offset += pieceLength) {
    const bytes = new Uint8Array(Math.min(pieceLength, length - offset));
    await volume.read(chain, bytes, offset, what);
    const bits = Bitmap.fromBytes(bytes, Math.min(bytes.length * 8, clusterCount - offset * 8));
    for (let start = bits.nextClear(0); start < bits.size; ) {
      const end = bits.nextSet(start);
      yield { cluster: 2 + offset * 8 + start, count: end - start };
      start = bits.nextClear(end);
    }
  }
}
