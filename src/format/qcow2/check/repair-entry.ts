import { hostOffsetOf } from '../cluster-entry.ts';
import { copiedBit } from '../layout.ts';

const compressedBit = 0x4000_0000;

/**
 * Sets an L2 entry right in `entry`, its 8 bytes or 16 if extended, where that loses nothing: a compressed cluster is
 * never called the only one, a cluster that only reads as zeros gives up an impossible place, and a subcluster that
 * is there as well as zeros is there.
 */
export function repairEntry(entry: DataView, clusterSize: number): void {
  const [high, low] = [entry.getUint32(0), entry.getUint32(4)];
  const isExtended = entry.byteLength === 16;
  if ((high & compressedBit) !== 0) {
    entry.setUint32(0, high & ~copiedBit);
  } else if (isExtended) {
    entry.setUint32(8, entry.getUint32(8) & ~entry.getUint32(12));
  } else if ((low & 1) === 1 && hostOffsetOf(high, low) % clusterSize !== 0) {
    entry.setUint32(0, 0);
    entry.setUint32(4, 1);
  }
}
