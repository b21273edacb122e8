import assert from 'node:assert/strict';
import { LruMap } from '../../src/base/lru.ts';
import { contentOf } from '../../src/conformance/device-content.ts';
import { hexOf } from '../../src/store/chunk.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { nameOf } from '../../src/store/hash.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { verifyStore } from '../../src/store/verify-store.ts';
import type { WorkerLog } from './crash-worker.ts';
import { describeImages, type ExpectedImages } from './expected-images.ts';
import { seededDisk } from './seeded-disk.ts';

const hashes = new LruMap<number, string>(10_000);

function hashOfDisk(seed: number): string {
  const hash = hashes.get(seed) ?? hexOf(nameOf(seededDisk(seed)));
  hashes.set(seed, hash);
  return hash;
}

/**
 * Opens the store that a worker was torn from, and checks that it is whole: nothing for `verifyStore` to say, every
 * operation that was reported is there, the one that was under way is there or is not, and every snapshot has its
 * disk, bit for bit. The images that are there. What was reported from `cutNs` on, when the power was being cut, may be
 * lost: Linux may answer a sync that waits while ext4 is shut down as if it had been done.
 */
export async function checkAfterCrash(
  path: string,
  before: ExpectedImages,
  log: WorkerLog,
  cutNs = Number.POSITIVE_INFINITY,
): Promise<ExpectedImages> {
  await using store = await openStore(path, { create: true });
  assert.deepEqual(store.leases.living(), [], 'nobody is at work');
  const { problems } = await verifyStore(store);
  assert.deepEqual(problems, []);
  let reported = before;
  const uncertain: ExpectedImages[] = [];
  for (const [index, operation] of log.done.entries()) {
    if ((log.doneNs[index] as number) >= cutNs) uncertain.push(reported);
    reported = reported.after(operation);
  }
  const images = settle(store, reported, uncertain, log);
  await checkContents(store, images);
  return images;
}

/**
 * The reported images, with or without the operation that was under way, or as they were at one of the moments that are
 * `uncertain`: whichever the store has.
 */
function settle(
  store: Store,
  reported: ExpectedImages,
  uncertain: readonly ExpectedImages[],
  { pending }: WorkerLog,
): ExpectedImages {
  const actual = describeImages(store);
  const possible = pending === undefined ? uncertain : [reported.after(pending), ...uncertain];
  const found = possible.find((images) => actual.join('\n') === images.describe().join('\n'));
  if (found !== undefined) return found;
  assert.deepEqual(actual, reported.describe(), `what was reported is there; ${JSON.stringify(pending)} was under way`);
  return reported;
}

/** Fails unless every snapshot of `images` can be read and has its disk. */
export async function checkContents(store: Store, images: ExpectedImages): Promise<void> {
  const right = new Set<string>();
  for (const { reference, seed } of images.snapshots()) {
    const snapshot = store.images.resolve(reference);
    const key = `${hexOf(snapshot.root)} ${seed}`;
    if (right.has(key)) continue;
    await using device = await store.openSnapshot(snapshot);
    assert.equal(hexOf(nameOf(await contentOf(device))), hashOfDisk(seed), `${reference}, bit for bit`);
    right.add(key);
  }
}

/** Checks that garbage collection leaves nothing that belongs to nobody, and nothing to do for the next. */
export async function checkAfterCollection(path: string, images: ExpectedImages): Promise<void> {
  await using store = await openStore(path);
  await collectGarbage(store);
  assert.deepEqual((await verifyStore(store)).leftovers, []);
  const { deletedChunks, deletedPacks, freedBytes } = await collectGarbage(store);
  assert.deepEqual([deletedChunks, deletedPacks, freedBytes], [0, 0, 0]);
  await checkContents(store, images);
}
