/*
 * The runs of an attribute: for each a byte whose lower half says in how many bytes the number of clusters follows, and whose
 * upper half in how many the distance from the run before, signed; without a distance, there is nothing on the device: a hole.
 * A byte of 0 ends them.
 *
 * Source: Linux-NTFS project, NTFS documentation, "Data runs".
 */

/** A run of clusters. */
export interface ClusterRun {
  /** The first, counted in the attribute. */
  readonly start: number;
  readonly count: number;
  /** Where that one is, in clusters of the device; undefined for a hole. */
  readonly cluster: number | undefined;
}

/** Bytes of a number; more than 2^53 does not fit in seven, and is nothing that can be. */
const longestNumber = 8;

/** The runs that `bytes` stand for, from cluster `start` of the attribute on, or what is wrong with them. */
export function decodeRuns(bytes: Uint8Array, start: number, clusterCount: number): ClusterRun[] | string {
  const runs: ClusterRun[] = [];
  let cluster = 0;
  for (let offset = 0; offset < bytes.length && bytes[offset] !== 0; ) {
    const countLength = bytes[offset]! & 0xf;
    const distanceLength = bytes[offset]! >> 4;
    const next = offset + 1 + countLength + distanceLength;
    if (countLength > longestNumber || distanceLength > longestNumber || next > bytes.length) return 'are cut off';
    const count = signedNumber(bytes.subarray(offset + 1, offset + 1 + countLength));
    if (!(count > 0 && count <= Number.MAX_SAFE_INTEGER)) return `have one of ${count} clusters`;
    if (distanceLength > 0) {
      cluster += signedNumber(bytes.subarray(offset + 1 + countLength, next));
      if (!(cluster >= 0 && cluster + count <= clusterCount)) {
        return `have one at cluster ${cluster}, of ${count}, and there are ${clusterCount}`;
      }
    }
    runs.push({ start, count, cluster: distanceLength === 0 ? undefined : cluster });
    start += count;
    if (!Number.isSafeInteger(start)) return 'have more clusters than there can be';
    offset = next;
  }
  return runs;
}

function signedNumber(bytes: Uint8Array): number {
  let value = 0;
  for (let index = bytes.length - 1; index >= 0; index--) value = value * 256 + bytes[index]!;
  const isNegative = bytes.length > 0 && bytes[bytes.length - 1]! >= 0x80;
  return isNegative ? value - 2 ** (bytes.length * 8) : value;
}
