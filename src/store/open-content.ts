import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import type { BodySource } from './chunk-reader.ts';
import { ContentMap } from './content-map.ts';
import { type ChangedRun, changedRuns } from './map-diff.ts';
import { snapshotDevice } from './snapshot-device.ts';

// What only reading needs, loaded when something is read: most commands read no content.

/**
 * The content with the root record `root` as a read-only disk; `release` is called once, when that is disposed of.
 * @throws CORRUPT
 */
export async function openContent(
  source: BodySource,
  root: Uint8Array,
  release: () => MaybePromise<void>,
): Promise<BlockDevice> {
  return checkedDevice(snapshotDevice(await ContentMap.open(source, root), source, release));
}

/** The chunks in which the contents with two root records differ. @throws CORRUPT */
export async function* contentChanges(source: BodySource, a: Uint8Array, b: Uint8Array): AsyncIterable<ChangedRun> {
  yield* changedRuns(await ContentMap.open(source, a), await ContentMap.open(source, b));
}
