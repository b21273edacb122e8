import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isVarveError } from '../../src/base/varve-error.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { verifyStore } from '../../src/store/verify-store.ts';
import { noiseDisk } from '../store/chunky-disk.ts';
import { assertClean, assertSnapshot, importDisk, temporaryFolder } from '../store/temporary-store.ts';
import { checkContents } from './check-store.ts';
import { describeImages, ExpectedImages } from './expected-images.ts';
import type { Operation } from './operation.ts';
import { perform } from './perform.ts';
import { randomOperation } from './random-operation.ts';

const seed = Number(process.env.VARVE_CRASH_SEED ?? Date.now() % 1_000_000);
const noSpace = { name: 'VarveError', code: 'NO_SPACE', message: /^[^\n]+$/ };
const KiB = 1024;
const MiB = 1024 * KiB;

/** A file system of `size` bytes that is gone when it is disposed of. */
async function smallFileSystem(size: number) {
  const folder = await temporaryFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'varve-test', folder.path], { stdio: 'pipe' });
  return {
    path: folder.path,
    /** Takes all space but `left` bytes, until it is disposed of. */
    fill(left: number): Disposable {
      const filler = join(folder.path, 'filler');
      const { bavail, bsize } = fs.statfsSync(folder.path);
      const length = Math.max(0, bavail * bsize - left);
      fs.writeFileSync(filler, new Uint8Array(length));
      return { [Symbol.dispose]: () => fs.rmSync(filler) };
    },
    async [Symbol.asyncDispose]() {
      execFileSync('umount', [folder.path], { stdio: 'pipe' });
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe('a store on a full disk', { skip: process.getuid?.() === 0 ? false : 'mounting needs root' }, () => {
  test('an import that does not fit is NO_SPACE in one line, and everything else goes on', async () => {
    await using disk = await smallFileSystem(48 * MiB);
    const path = join(disk.path, 'store');
    {
      await using store = await openStore(path, { create: true });
      await importDisk(store, 'first', noiseDisk(80));
      await assert.rejects(importDisk(store, 'second', pattern(80 * MiB, 1)), noSpace);
      await assert.rejects(importDisk(store, 'first', pattern(80 * MiB, 1)), noSpace);
      assert.deepEqual(store.leases.living(), []);
      assert.deepEqual([...store.packs.list('tmp')], []);
      await assertSnapshot(store, 'first', noiseDisk(80));
    }
    await using store = await openStore(path);
    assert.deepEqual((await assertClean(store)).leftovers, []);
    assert.deepEqual(
      store.images.all().map(({ name, snapshotCount }) => [name, snapshotCount]),
      [['first', 1]],
    );
    const { freedBytes } = await collectGarbage(store);
    assert.ok(freedBytes > 20 * MiB, `the packs that were finished are collected: ${freedBytes} bytes`);
    await importDisk(store, 'second', noiseDisk(80, 2));
    await assertSnapshot(store, 'second', noiseDisk(80, 2));
    await assertSnapshot(store, 'first', noiseDisk(80));
    await assertClean(store);
  });

  test(`with any space left, what is done works or is NO_SPACE and changes nothing (seed ${seed})`, async (context) => {
    await using disk = await smallFileSystem(64 * MiB);
    const path = join(disk.path, 'store');
    await (await openStore(path, { create: true }))[Symbol.asyncDispose]();
    const random = seededRandom(seed);
    let images = new ExpectedImages();
    const refused = new Map<string, number>();
    for (let turn = 0; turn < 150; turn += 1) {
      const left = turn % 3 === 0 ? undefined : randomLeft(random);
      const { operation, isDone } = await attempt(path, random, () => disk.fill(left ?? Number.POSITIVE_INFINITY));
      assert.ok(isDone || left !== undefined, `${operation.kind} works where there is space`);
      if (isDone) images = images.after(operation);
      else refused.set(operation.kind, (refused.get(operation.kind) ?? 0) + 1);
      await using store = await openStore(path);
      assert.deepEqual((await verifyStore(store)).problems, []);
      assert.deepEqual(describeImages(store), images.describe());
      if (turn % 10 === 0) await checkContents(store, images);
    }
    await using store = await openStore(path);
    await collectGarbage(store);
    assert.deepEqual((await assertClean(store)).leftovers, []);
    await checkContents(store, images);
    assert.ok(refused.size > 2);
    context.diagnostic(`refused: ${[...refused].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  });

  /** Mostly so little that a page or two of the catalog do not fit, sometimes enough for a chunk or some. */
  function randomLeft(random: () => number): number {
    return random() < 0.6 ? randomBelow(random, 30) * 4 * KiB : randomBelow(random, 1500) * KiB;
  }

  /** Does something random to the store, which is opened before or after the disk is filled. */
  async function attempt(path: string, random: () => number, fill: () => Disposable) {
    const early = random() < 0.5 ? fill() : undefined;
    await using store = await openStore(path);
    const operation: Operation = randomOperation(store, random);
    let isDone = true;
    {
      using _filler = early ?? fill();
      try {
        await perform(store, operation);
      } catch (error) {
        assert.ok(isVarveError(error, 'NO_SPACE'), `${operation.kind}: ${error}`);
        assert.match(error.message, /^[^\n]+$/);
        isDone = false;
      }
      await readSomething(store);
    }
    assert.deepEqual(store.leases.living(), []);
    // What could not be given back on the full disk goes with the next that is.
    if (!store.readOnly) store.leases.release(store.catalog.write(() => store.leases.take('read', 'a test')));
    return { operation, isDone };
  }

  async function readSomething(store: Store): Promise<void> {
    const [image] = store.images.all();
    if (image === undefined) return;
    await using device = await store.openSnapshot(store.images.resolve(image.name));
    await device.read(new Uint8Array(100_000), 0);
  }

  test('a store on a disk without a byte left can be opened, verified and read', async () => {
    await using disk = await smallFileSystem(16 * MiB);
    const path = join(disk.path, 'store');
    {
      await using store = await openStore(path, { create: true });
      await importDisk(store, 'web', noiseDisk(20));
    }
    using _filler = disk.fill(0);
    await using store = await openStore(path);
    await assertClean(store);
    await using device = await store.openSnapshot(store.images.resolve('web'));
    assertEqualBytes(await contentOf(device), noiseDisk(20), 'web');
    assert.throws(() => store.edit.rename('web', 'other'), noSpace);
    await assert.rejects(importDisk(store, 'other', noiseDisk(1, 2)), noSpace);
  });
});
