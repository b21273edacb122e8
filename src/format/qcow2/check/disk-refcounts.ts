import type { BlockDevice } from '../../../block/block-device.ts';
import { isZero } from '../../../bytes/is-zero.ts';
import { throwIfAborted } from '../../disk-pieces.ts';
import type { Qcow2Header } from '../header.ts';
import { refcountCodec } from '../refcount-codec.ts';
import { ClusterCounts, maximumCount } from './cluster-counts.ts';
import type { Findings } from './findings.ts';
import { readPadded } from './read-padded.ts';
import type { ReferenceCounter } from './reference-counter.ts';

/** The refcounts as the file has them. */
export interface DiskRefcounts {
  readonly counts: ClusterCounts;
  /** Where each block is: 0 where there is none, or in an impossible place. */
  readonly blockOffsets: Float64Array;
  /** What is wrong with entries of the refcount table, by index. */
  readonly problems: ReadonlyMap<number, string>;
  /** Whether what a cluster's refcount is cannot be told, because its block is inside a cluster. */
  isUnknown(cluster: number): boolean;
}

/** The lowest bits of a table entry, which mean nothing. */
const reservedBits = 512;

/** So many blocks are read that are in the table more than once, as QEMU does. */
const maximumRepeatedCount = 64;

/** How many refcounts are in a block, which is one cluster. */
export function refcountsInBlock({ clusterBits, refcountOrder }: Qcow2Header): number {
  return (2 ** clusterBits * 8) / 2 ** refcountOrder;
}

/** Reads the refcount table and all its blocks, of an image that errors call `name`; blocks in impossible places are noted and passed over. */
export async function readDiskRefcounts(
  file: BlockDevice,
  header: Qcow2Header,
  name: string,
  signal?: AbortSignal,
): Promise<DiskRefcounts> {
  const clusterSize = 2 ** header.clusterBits;
  const table = await readPadded(file, header.refcountTableOffset, header.refcountTableClusters * clusterSize);
  const blockOffsets = new Float64Array(table.byteLength / 8);
  const problems = new Map<number, string>();
  const misplaced = new Set<number>();
  const read = new Set<number>();
  let repeatedCount = 0;
  const counts = new ClusterCounts(name);
  for (let index = 0; index < blockOffsets.length; index += 1) {
    const [high, low] = [table.getUint32(index * 8), table.getUint32(index * 8 + 4)];
    const offset = high * 2 ** 32 + low - (low % reservedBits);
    const problem = entryProblem(offset, low % reservedBits, clusterSize, file.size);
    if (problem !== undefined) problems.set(index, problem);
    if (offset % clusterSize !== 0) misplaced.add(index);
    if (offset === 0 || offset % clusterSize !== 0 || offset >= file.size) continue;
    blockOffsets[index] = offset;
    throwIfAborted(signal);
    if (read.has(offset)) repeatedCount += 1;
    // A block that stands for many clusters would take memory for all of them.
    if (read.has(offset) && repeatedCount > maximumRepeatedCount) continue;
    read.add(offset);
    await readBlock(counts, file, header, index, offset);
  }
  const entries = refcountsInBlock(header);
  const isUnknown = (cluster: number): boolean => misplaced.has(Math.floor(cluster / entries));
  return { counts, blockOffsets, problems, isUnknown };
}

function entryProblem(offset: number, reserved: number, clusterSize: number, fileSize: number): string | undefined {
  if (reserved !== 0) return 'its entry in the refcount table has reserved bits set';
  if (offset % clusterSize !== 0) return `it cannot be at byte ${offset}, inside a cluster`;
  if (offset >= fileSize && offset > 0)
    return `it is at byte ${offset}, past the end of the file, which has ${fileSize}`;
  return undefined;
}

async function readBlock(
  counts: ClusterCounts,
  file: BlockDevice,
  header: Qcow2Header,
  index: number,
  offset: number,
): Promise<void> {
  const clusterSize = 2 ** header.clusterBits;
  const entries = refcountsInBlock(header);
  const first = index * entries;
  // A cluster more, because the last one may be there in part.
  const end = Math.min(entries, Math.ceil(file.size / clusterSize) + 1 - first);
  if (end <= 0) return;
  const block = await readPadded(file, offset, clusterSize);
  if (isZero(new Uint8Array(block.buffer))) return;
  const codec = refcountCodec(header.refcountOrder);
  for (let entry = 0; entry < end; entry += 1) {
    const refcount = codec.get(block, entry);
    if (refcount !== 0) counts.set(first + entry, Math.min(refcount, maximumCount));
  }
}

/** Counts the refcount table and its blocks, after all else; a block that something else uses as well is no good. */
export function countRefcountStructures(
  header: Qcow2Header,
  disk: DiskRefcounts,
  counter: ReferenceCounter,
  findings: Findings,
): void {
  const clusterSize = 2 ** header.clusterBits;
  counter.add('the refcount table', header.refcountTableOffset, header.refcountTableClusters * clusterSize);
  for (const [index, problem] of disk.problems) findings.corrupt(() => `refcount block ${index}: ${problem}`);
  for (const [index, offset] of disk.blockOffsets.entries()) {
    if (offset === 0 || disk.problems.has(index)) continue;
    counter.add('a refcount block', offset, clusterSize);
    const uses = counter.counts.get(offset / clusterSize);
    if (uses !== 1) findings.corrupt(() => `the cluster of refcount block ${index} is used ${uses} times`);
  }
}
