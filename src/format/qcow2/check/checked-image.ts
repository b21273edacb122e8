import type { CheckContext } from './check-context.ts';
import type { ClusterCounter } from './count-clusters.ts';
import type { TableUsage } from './count-tables.ts';

/** What one pass over an image has found. */
export interface CheckedImage {
  readonly context: CheckContext;
  readonly usage: TableUsage;
  readonly clusters: ClusterCounter;
  /** Whether the snapshot table leaves out what version 3 wants to know. */
  readonly hasIncompleteSnapshots: boolean;
}
