import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { openStore } from '../../src/store/store.ts';
import { assertClean, readSnapshot, temporaryFolder } from '../store/temporary-store.ts';
import { CrashWorker } from './crash-worker.ts';

const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
const workerCount = 3;
const lifeMs = 4000;

test(`a store stays whole under ${workerCount} processes that do everything at once (seed ${seed})`, async (context) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'store');
  const compiled = join(folder.path, 'compiled');
  const workers = Array.from(
    { length: workerCount },
    (_, index) => new CrashWorker({ path, compiled, kind: 'together', seed: seed + index }),
  );
  using ending = new DisposableStack();
  for (const worker of workers) ending.use(worker);
  await Promise.all(workers.map((worker) => worker.start()));
  await setTimeout(lifeMs);
  const logs = await Promise.all(workers.map((worker) => worker.kill()));
  for (const { failed } of logs) assert.equal(failed, undefined);
  const counts = logs.map(({ done }) => done.length);
  // Not each of them: garbage collection may have waited for the others' imports all the time.
  assert.ok(Math.max(...counts) > 0, 'something got done');
  await using store = await openStore(path);
  await assertClean(store);
  for (const { image, number } of [...store.images.every()]) await readSnapshot(store, `${image}@${number}`);
  await collectGarbage(store);
  assert.deepEqual((await assertClean(store)).leftovers, []);
  context.diagnostic(`operations of each: ${counts.join(', ')}`);
});
