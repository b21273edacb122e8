import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openFileDevice } from '../../src/block/file-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { seededRandom } from '../../src/filter/seeded-random.ts';
import { hexOf } from '../../src/store/chunk.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { rebuildCatalog } from '../../src/store/rebuild-catalog.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { startModule } from '../store/run-module.ts';
import { assertClean, importDisk, temporaryFolder } from '../store/temporary-store.ts';

const rounds = 10;
const snapshotCount = 8;
const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);

const sparsifier = `
  const { openStore } = await import('../../src/store/store.ts');
  const { sparsifyHistory } = await import('../../src/image/sparsify/sparsify-history.ts');
  await using store = await openStore(process.argv[1]);
  console.log('ready');
  await sparsifyHistory(store, 'web');
`;

const historyOf = (store: Store) =>
  store.images.snapshots('web').map(({ number, id, root, tags }) => [number, hexOf(id), hexOf(root), tags.join(' ')]);

/** Snapshots of an ext4 in which a file of 1 MiB is each time another one; then the history as it is when sparsified. */
async function makeHistory(folder: string, path: string): Promise<void> {
  const disk = join(folder, 'disk.raw');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '16M']);
  await using store = await openStore(path, { create: true });
  for (let round = 1; round <= snapshotCount; round += 1) {
    const file = join(folder, 'file');
    fs.writeFileSync(file, pattern(2 ** 20, round));
    await run('debugfs', ['-w', '-R', `write ${file} file${round}`, disk]);
    if (round > 1) await run('debugfs', ['-w', '-R', `rm file${round - 1}`, disk]);
    await using device = await openFileDevice(disk);
    await importDisk(store, 'web', device);
  }
  store.edit.tag('web@3', 'golden', { move: false });
}

test(`a history is the old one or the new one after kill -9 at ${rounds} random moments (seed ${seed})`, {
  skip: skipWithout('mke2fs', 'debugfs'),
}, async (context) => {
  await using folder = await temporaryFolder();
  const template = join(folder.path, 'template');
  await makeHistory(folder.path, template);
  const random = seededRandom(seed);
  const work = join(folder.path, 'store');
  const states = new Map<string, number>();
  let old: unknown;
  let roots: unknown;
  let duration = 0;
  for (let round = 0; round <= rounds; round += 1) {
    fs.rmSync(work, { recursive: true, force: true });
    fs.cpSync(template, work, { recursive: true });
    const child = startModule(sparsifier, [work]);
    await once(child.stdout!, 'data');
    const start = performance.now();
    const closed = once(child, 'close');
    // The first is not killed, and shows how long it takes and what comes of it.
    if (round === 0) {
      await closed;
      duration = performance.now() - start;
    } else {
      await setTimeout((0.3 + 0.8 * random()) * duration);
      await endAndAwait(child, closed);
    }
    await using store = await openStore(work);
    const history = historyOf(store);
    await assertClean(store);
    if (round === 0) {
      roots = history.map(([, , root]) => root);
      await using before = await openStore(template);
      old = historyOf(before);
      assert.notDeepEqual(history, old);
      continue;
    }
    const state = stateOf(history, old, roots);
    // The same from packs, manifests and records alone; between the record and the commit it is the new one.
    await store[Symbol.asyncDispose]();
    fs.rmSync(join(work, 'catalog.sqlite'));
    await rebuildCatalog(work);
    await using rebuilt = await openStore(work);
    const again = stateOf(historyOf(rebuilt), old, roots);
    assert.ok(again === state || (state === 'old' && again === 'new'), `${state}, rebuilt ${again}`);
    await collectGarbage(rebuilt);
    assert.deepEqual((await assertClean(rebuilt)).leftovers, []);
    assert.equal(stateOf(historyOf(rebuilt), old, roots), again);
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  context.diagnostic(`${[...states].map(([state, count]) => `${state}: ${count}`).join(', ')}`);
});

/** Which of the two histories it is; ids of the new one differ from run to run, what they name does not. */
function stateOf(history: ReturnType<typeof historyOf>, old: unknown, roots: unknown): 'old' | 'new' {
  try {
    assert.deepEqual(history, old);
    return 'old';
  } catch {
    assert.deepEqual(
      history.map(([, , root]) => root),
      roots,
    );
    assert.equal(history[2]?.[3], 'golden');
    return 'new';
  }
}
