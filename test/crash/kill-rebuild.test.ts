import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isVarveError } from '../../src/base/varve-error.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore } from '../../src/store/store.ts';
import { endAndAwait } from '../process/end-process.ts';
import { diskOf } from '../store/chunky-disk.ts';
import { startModule } from '../store/run-module.ts';
import { assertClean, assertSnapshot, importDisk, temporaryFolder } from '../store/temporary-store.ts';
import { describeImages } from './expected-images.ts';

const rounds = 15;
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);

/** Rebuilds the catalog again and again. */
const rebuilder = `
  const { rebuildCatalog } = await import('../../src/store/rebuild-catalog.ts');
  console.log('ready');
  for (;;) await rebuildCatalog(process.argv[1]);
`;

/** Opens the store, or says that its catalog is lost, which is what may happen in the middle of replacing it. */
async function openOrLost(path: string) {
  try {
    return await openStore(path);
  } catch (error) {
    assert.ok(
      isVarveError(error, 'CORRUPT') && /lost its catalog; varve verify --rebuild/.test(error.message),
      `${error}`,
    );
    return undefined;
  }
}

test(`rebuilding a catalog survives kill -9 at ${rounds} random moments (seed ${seed})`, async (context) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'store');
  const random = seededRandom(seed);
  let expected: string[];
  {
    await using store = await openStore(path, { create: true });
    for (let kind = 1; kind <= 20; kind += 1) await importDisk(store, `image${kind % 3}`, diskOf([kind, kind + 1]));
    store.edit.tag('image1@2', 'golden', { move: false });
    expected = describeImages(store);
  }
  let lostCount = 0;
  for (let round = 0; round < rounds; round += 1) {
    const child = startModule(rebuilder, [path]);
    await once(child.stdout!, 'data');
    await setTimeout(random() * 100);
    await endAndAwait(child, once(child, 'close'));
    let store = await openOrLost(path);
    if (store === undefined) {
      lostCount += 1;
      await rebuildCatalog(path);
      store = await openStore(path);
    }
    await using opened = store;
    assert.deepEqual(describeImages(opened), expected, `round ${round}`);
    assert.deepEqual((await assertClean(opened)).leftovers, []);
  }
  await rebuildCatalog(path);
  await using store = await openStore(path);
  await assertSnapshot(store, 'image1@golden', diskOf([4, 5]));
  const others = fs.readdirSync(path).filter((name) => name.startsWith('catalog.sqlite.new'));
  assert.deepEqual(others, []);
  context.diagnostic(`${lostCount} of ${rounds} kills left the store without a catalog, to be rebuilt again`);
});
