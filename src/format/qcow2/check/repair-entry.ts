import { hostOffsetOf } from '../cluster-entry.ts';
import { copiedBit } from '../layout.ts';

const compressedBit = 0x4000_0000;

/**
 * Sets an L2 entry right in `entry`, its 8 bytes or 16 if extended, where that loses nothing: a compressed cluster is
 * never called the only one, a cluster without data gives up an impossible place, and a subcluster that
 * is there as well as zeros is there.
 */
export function repairEntry(entry: DataView, clusterSize: number): void {
  const [high, low] = [entry.getUint32(0), entry.getUint32(4)];
  const isExtended = entry.byteLength === 16;
  const isMisplaced = hostOffsetOf(high, low) % clusterSize !== 0;
  if ((high & compressedBit) !== 0) {
    entry.setUint32(0, high & ~copiedBit);
  } else if (isExtended) {
    const allocated = entry.getUint32(12);
    entry.setUint32(8, entry.getUint32(8) & ~allocated);
    if (isMisplaced && allocated === 0) setOffset(entry, 0);
  } else if ((low & 1) === 1 && isMisplaced) {
    setOffset(entry, 1);
  }
}

/** Takes the offset and what is said of it away. */
function setOffset(entry: DataView, low: number): void {
  entry.setUint32(0, 0);
  entry.setUint32(4, low);
}
