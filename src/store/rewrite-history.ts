import { randomHex } from '../base/random.ts';
import { VarveError } from '../base/varve-error.ts';
import { hexOf, type NameKey, sameName } from './chunk.ts';
import { nameOf } from './hash.ts';
import { completedRewrites, setRewrites } from './history-rewrites.ts';
import { type Image, referenceOf, type Snapshot } from './image-table.ts';
import { encodeManifest, type Manifest, manifestKey } from './manifest.ts';
import { busyError, refuseMachines } from './overlay/refuse-overlays.ts';
import type { StoreParts } from './store-parts.ts';

/** What a snapshot holds from now on. */
export interface NewContent {
  readonly root: Uint8Array;
  /** Bytes of its chunks that are not zero. */
  readonly dataLength: number;
}

/** Snapshots of one image, all of them, oldest first, and what those hold that change, by number. */
export interface RewrittenHistory {
  readonly image: Image;
  readonly snapshots: readonly Snapshot[];
  readonly contents: ReadonlyMap<number, NewContent>;
}

/**
 * Gives snapshots of an image other contents, all or none: they keep number, time, message, author and tags, and get
 * other ids, as do those that were made from them. Their contents are in the store, kept by a session of the caller, who
 * holds the `writing` lease on the image. The ids of those that changed.
 * @throws BUSY where somebody reads or writes the image, CONFLICT where it changed meanwhile or a transaction is open
 */
export function rewriteHistory(parts: StoreParts, history: RewrittenHistory, writing: number): number {
  const { image, snapshots } = history;
  // Without a record nobody could tell, after a crash, that this was not completed.
  parts.catalog.write(() => parts.edit.record(image.id));
  const rewrite = randomHex(16);
  const manifests = rewrittenManifests(history, rewrite);
  for (const { id, bytes } of manifests.values()) parts.packs.createIfAbsent(manifestKey(id), bytes);
  parts.catalog.write(() => {
    refuseHistoryInUse(parts, image, { writing, snapshots });
    for (const [number, manifest] of manifests) update(parts, image, number, manifest);
    setRewrites(parts.catalog, image.uuid, [...completedRewrites(parts.catalog, image.uuid), rewrite]);
    parts.edit.record(image.id);
  });
  for (const { number, id } of snapshots) if (manifests.has(number)) parts.packs.delete(manifestKey(id));
  return manifests.size;
}

interface NewManifest {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** By number; of those alone that differ from what they were. */
function rewrittenManifests({ image, snapshots, contents }: RewrittenHistory, rewrite: string) {
  const manifests = new Map<number, NewManifest>();
  const newIds = new Map<NameKey, Uint8Array>();
  for (const snapshot of snapshots) {
    const { number, size, time, message, author } = snapshot;
    const content = contents.get(number);
    const parent = snapshot.parent && (newIds.get(hexOf(snapshot.parent)) ?? snapshot.parent);
    if (content === undefined && parent === snapshot.parent) continue;
    const { root, dataLength } = content ?? { root: snapshot.root, dataLength: snapshot.statistics.dataLength };
    const manifest: Manifest = {
      image: { uuid: image.uuid, name: image.name },
      ...{ number, root, size, parent, time, message, author, rewrite },
      statistics: { ...snapshot.statistics, dataLength },
    };
    const bytes = encodeManifest(manifest);
    const id = nameOf(bytes);
    newIds.set(hexOf(snapshot.id), id);
    manifests.set(number, { id, bytes, manifest });
  }
  return manifests;
}

function update(parts: StoreParts, image: Image, number: number, { id, manifest }: NewManifest): void {
  const { parent, root, statistics } = manifest;
  parts.catalog.run(
    'UPDATE snapshots SET id = ?, parent = ?, root = ?, data_length = ? WHERE image = ? AND number = ?',
    ...[id, parent ?? null, root, statistics.dataLength, image.id, number],
  );
}

/** Who holds the image's lease, and what its history was when they looked. */
export interface HistoryClaim {
  readonly writing: number;
  readonly snapshots: readonly Snapshot[];
}

/**
 * Whether nobody but the holder of a lease has anything to do with an image's snapshots, and they are as they were.
 * @throws BUSY naming who reads or writes, CONFLICT for changes, transactions and another history
 */
export function refuseHistoryInUse(parts: StoreParts, image: Image, { writing, snapshots }: HistoryClaim): void {
  const roots = new Set(snapshots.map(({ root }) => hexOf(root)));
  const user = parts.leases
    .living('read', 'write')
    .find(({ id, image: used, root }) => id !== writing && (used === image.id || (root && roots.has(hexOf(root)))));
  if (user !== undefined) throw busyError(image.name, user);
  const [layer] = parts.overlays.over(image.id);
  if (layer?.owner === '') {
    const ways = `varve snapshot ${image.name} keeps them, varve discard ${image.name} drops them`;
    throw new VarveError('CONFLICT', `${image.name} has uncommitted changes: ${ways}`);
  }
  refuseMachines(parts, image, 'rewrite the history of');
  if (layer !== undefined) {
    const ways = `end it with varve commit ${layer.owner} or varve rollback ${layer.owner}`;
    throw new VarveError('CONFLICT', `${image.name} is in the transaction ${layer.owner}: ${ways}`);
  }
  const now = parts.images.snapshots(image.name);
  const isSame = now.length === snapshots.length && now.every((each, index) => sameName(each.id, snapshots[index]!.id));
  if (isSame) return;
  const newest = now.at(-1);
  throw new VarveError(
    'CONFLICT',
    `${image.name} changed meanwhile${newest ? `: ${referenceOf(newest)} is its newest snapshot` : ''}; try again`,
  );
}
