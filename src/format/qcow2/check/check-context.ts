import type { BlockDevice } from '../../../block/block-device.ts';
import { hasFeature } from '../check-header.ts';
import type { Qcow2Header } from '../header.ts';
import { copiedBit } from '../layout.ts';
import type { DiskRefcounts } from './disk-refcounts.ts';
import type { Findings } from './findings.ts';
import type { ReferenceCounter } from './reference-counter.ts';

/** What the parts of a check share. */
export interface CheckContext {
  readonly file: BlockDevice;
  readonly header: Qcow2Header;
  /** The image's name in errors. */
  readonly name: string;
  readonly findings: Findings;
  readonly counter: ReferenceCounter;
  readonly disk: DiskRefcounts;
  readonly signal: AbortSignal | undefined;
}

/** That bit 63 of an entry, the highest of `high`, says what the refcount of the cluster at `offset` does. */
export function checkCopied(context: CheckContext, what: string, offset: number, high: number, times: number): void {
  const { disk, findings, header } = context;
  const clusterSize = 2 ** header.clusterBits;
  const cluster = Math.floor(offset / clusterSize);
  // Clusters of an external file have no refcount, and belong to one disk.
  const isExternal = what === dataCluster && hasFeature(header, 'externalDataFile');
  const isOne = isExternal || disk.counts.get(cluster) === 1;
  if (isOne === high >= copiedBit || disk.isUnknown(cluster)) return;
  const found = isOne ? 'is one' : 'is not one';
  findings.corrupt(() => `the refcount of ${what} at byte ${offset} ${found}, and its entry says otherwise`, times);
}

/** What a cluster of the disk is called in problems. */
export const dataCluster = 'a cluster';
