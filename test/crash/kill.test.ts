import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { hexOf } from '../../src/store/chunk.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-store.ts';
import { checkAfterCollection, checkAfterCrash, checkContents } from './check-store.ts';
import { CrashWorker } from './crash-worker.ts';
import { describeImages, ExpectedImages } from './expected-images.ts';

const rounds = Number(process.env.VARVE_CRASH_ROUNDS ?? 200);
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
/** Up to this much of a worker's life: some operations, so that it dies inside one that is not its first. */
const longestLifeMs = 150;
/** So often a second process collects garbage beside the worker, and dies with it. */
const companionEvery = 4;
const rebuildEvery = 25;

test(`a store survives kill -9 at ${rounds} random moments (seed ${seed})`, async (context) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'store');
  const random = seededRandom(seed);
  const landed = new Map<string, number>();
  let images = new ExpectedImages();
  let reportedCount = 0;
  const compiled = join(folder.path, 'compiled');
  const newWorkers = (round: number) => {
    const kinds = round % companionEvery === 0 ? (['anything', 'collect'] as const) : (['anything'] as const);
    return kinds.map((kind) => new CrashWorker({ path, compiled, kind, seed: randomBelow(random, 2 ** 31) }));
  };
  // The next ones load while a store is checked.
  let workers = newWorkers(1);
  using ending = new DisposableStack();
  ending.defer(() => {
    for (const worker of workers) worker[Symbol.dispose]();
  });
  for (let round = 1; round <= rounds; round += 1) {
    await Promise.all(workers.map((worker) => worker.start()));
    await setTimeout(random() * longestLifeMs);
    const logs = await Promise.all(workers.map((worker) => worker.kill()));
    workers = round < rounds ? newWorkers(round + 1) : [];
    for (const { pending, failed } of logs) {
      assert.equal(failed, undefined, `round ${round}, ${pending?.kind}`);
      const place = pending?.kind ?? 'between two';
      landed.set(place, (landed.get(place) ?? 0) + 1);
    }
    reportedCount += logs[0]!.done.length;
    images = await checkAfterCrash(path, images, logs[0]!);
    if (round % rebuildEvery === 0) await checkRebuilt(path, images);
  }
  await checkAfterCollection(path, images);
  const places = [...landed].sort((a, b) => b[1] - a[1]).map(([place, count]) => `${place} ${count}`);
  context.diagnostic(`${reportedCount} operations were reported; kills landed in: ${places.join(', ')}`);
});

/** Checks that the catalog of a copy of the store can be made anew: every snapshot is there, and all else as it was. */
async function checkRebuilt(path: string, images: ExpectedImages): Promise<void> {
  const copy = `${path}-copy`;
  await cp(path, copy, { recursive: true });
  const before = await snapshotIds(copy);
  await rebuildCatalog(copy);
  assert.deepEqual(before.difference(await snapshotIds(copy)), new Set(), 'rebuilt with what crashes have left');
  await rm(copy, { recursive: true });
  await cp(path, copy, { recursive: true });
  {
    await using store = await openStore(copy);
    await collectGarbage(store);
  }
  await rebuildCatalog(copy);
  {
    await using store = await openStore(copy);
    assert.deepEqual(describeImages(store), images.describe(), 'rebuilt without it');
    await checkContents(store, images);
  }
  await rm(copy, { recursive: true });
}

async function snapshotIds(path: string): Promise<Set<string>> {
  await using store = await openStore(path);
  return new Set([...store.images.every()].map(({ id }) => hexOf(id)));
}
