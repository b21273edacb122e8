import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noiseDisk } from '../../test/store/chunky-disk.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  readSnapshot,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { randomBelow, seededRandom } from '../filter/seeded-random.ts';
import { collectGarbage } from '../store/collect-garbage.ts';
import { openStore, type Store } from '../store/store.ts';
import { discardChanges } from './discard-changes.ts';
import { type LiveImage, openImageForWriting } from './live-image.ts';
import { settleImage } from './settle-image.ts';
import { snapshotImage } from './snapshot-image.ts';

/** A store with the image `web` of ten chunks, and what it holds. */
async function webStore() {
  const temporary = await temporaryStore();
  const content = new Uint8Array(noiseDisk(10));
  await importDisk(temporary.store, 'web', content);
  return { ...temporary, content };
}

describe('an image that is open for writing', () => {
  test('keeps what was flushed for the next who opens it, and snapshots stay as they are', async () => {
    await using place = await webStore();
    const { store, content } = place;
    const expected = content.slice();
    expected.set(pattern(10_000, 1), 70_000);
    {
      await using image = await openImageForWriting(store, 'web');
      await image.device.write(pattern(10_000, 1), 70_000);
      await image.device.flush();
      assert.equal(image.status().changedBytes, 65536);
    }
    await assertSnapshot(store, 'web', content);
    await using again = await openImageForWriting(store, 'web');
    assertEqualBytes(await contentOf(again.device), expected, 'the disk');
    await assertClean(store);
  });

  test('takes a snapshot that is the disk at that moment, while it is written to', async () => {
    await using place = await webStore();
    const { store, content } = place;
    const [first, second] = [content.slice(), content.slice()];
    first.set(pattern(5000, 1), 100_000);
    second.set(first);
    second.set(pattern(5000, 2), 102_000);
    await using image = await openImageForWriting(store, 'web');
    await image.device.write(pattern(5000, 1), 100_000);
    const taken = await image.snapshot({ message: 'first', tag: 'one' });
    assert.deepEqual([taken.number, taken.message, taken.image], [2, 'first', 'web']);
    await image.device.write(pattern(5000, 2), 102_000);
    assertEqualBytes(await contentOf(image.device), second, 'the disk');
    const stored = await taken.stored;
    assert.deepEqual(stored.tags, []);
    await assertSnapshot(store, 'web@2', first);
    await assertSnapshot(store, 'web@one', first);
    assertEqualBytes(await contentOf(image.device), second, 'the disk');
    const { stored: last } = await image.snapshot();
    await last;
    await assertSnapshot(store, 'web', second);
    assert.equal(stored.statistics.dataLength, 10 * 65536);
    await assertClean(store);
  });

  test('drops what is in no snapshot, with the image open and without', async () => {
    await using place = await webStore();
    const { store, content } = place;
    {
      await using image = await openImageForWriting(store, 'web');
      await image.device.write(pattern(5000, 1), 0);
      await image.discard();
      assertEqualBytes(await contentOf(image.device), content, 'the disk');
      await image.device.write(pattern(5000, 2), 300_000);
      await image.device.flush();
    }
    assert.equal(await discardChanges(store, 'web'), 65536);
    assert.equal(store.overlays.all().length, 0);
    await using image = await openImageForWriting(store, 'web');
    assertEqualBytes(await contentOf(image.device), content, 'the disk');
  });

  test('goes back to another snapshot', async () => {
    await using place = await webStore();
    const { store, content } = place;
    await importDisk(store, 'web', noiseDisk(10, 7));
    await using image = await openImageForWriting(store, 'web');
    await image.device.write(pattern(5000, 1), 0);
    const restored = await image.restore(store.images.resolve('web@1'), {});
    assert.equal(restored.number, 3);
    assertEqualBytes(await contentOf(image.device), content, 'the disk');
    await image.device.write(pattern(5000, 1), 0);
    await (await image.snapshot()).stored;
    assert.equal(store.images.resolve('web').number, 4);
    await assertClean(store);
  });

  test('is nobody else’s, and its history goes on nowhere else', async () => {
    await using place = await webStore();
    const { store, path } = place;
    await using image = await openImageForWriting(store, 'web', { purpose: 'serve web' });
    await using other = await openStore(path);
    const busy = { code: 'BUSY', message: new RegExp(`web is in use: serve web \\(process ${process.pid}\\)`) };
    await assert.rejects(openImageForWriting(other, 'web'), busy);
    await assert.rejects(discardChanges(other, 'web'), busy);
    await assert.rejects(snapshotImage(other, 'web'), busy);
    assert.throws(() => other.edit.removeImage('web', { force: true }), busy);
    await assert.rejects(importDisk(other, 'web', noiseDisk(3)), busy);
    await image.device.write(pattern(5000, 1), 0);
    await image[Symbol.asyncDispose]();
    await assert.rejects(importDisk(other, 'web', noiseDisk(3)), { code: 'CONFLICT', message: /varve discard web/ });
    assert.throws(() => other.edit.removeImage('web'), { code: 'CONFLICT', message: /--force/ });
    other.edit.removeImage('web', { force: true });
    assert.equal((await assertClean(other)).leftovers.length, 0);
  });

  test('leaves nothing behind where nothing was written', async () => {
    await using place = await webStore();
    const { store } = place;
    await (await openImageForWriting(store, 'web'))[Symbol.asyncDispose]();
    assert.equal(store.overlays.all().length, 0);
    assert.deepEqual((await assertClean(store)).leftovers, []);
  });

  test('refuses a tag that is taken, and goes on', async () => {
    await using place = await webStore();
    const { store } = place;
    store.edit.tag('web@1', 'one', { move: false });
    await using image = await openImageForWriting(store, 'web');
    await image.device.write(pattern(5000, 1), 0);
    await assert.rejects(image.snapshot({ tag: 'one' }), { code: 'EXISTS' });
    await image.device.write(pattern(5000, 2), 2000);
    const expected = await contentOf(image.device);
    await (await image.snapshot({ tag: 'two' })).stored;
    await assertSnapshot(store, 'web@two', expected);
  });
});

test('an image without a holder: a snapshot of what is uncommitted is made and stored at once', async () => {
  await using place = await webStore();
  const { store, content } = place;
  {
    await using image = await openImageForWriting(store, 'web');
    await image.device.write(pattern(5000, 1), 0);
    await image.device.flush();
  }
  const snapshot = await snapshotImage(store, 'web', { message: 'later', tag: 'late' });
  assert.deepEqual([snapshot.number, snapshot.message, snapshot.tags], [2, 'later', ['late']]);
  const expected = content.slice();
  expected.set(pattern(5000, 1), 0);
  await assertSnapshot(store, 'web', expected);
  assert.equal((await assertClean(store)).leftovers.length, 0);
});

/** What the model test does to an image, and what the disk and each snapshot must be then. */
class Model {
  disk: Uint8Array;
  flushed: Uint8Array;
  readonly snapshots = new Map<number, Uint8Array>();
  readonly #store: Store;
  readonly #random: () => number;
  image: LiveImage | undefined;

  constructor(store: Store, content: Uint8Array, random: () => number) {
    this.#store = store;
    this.#random = random;
    this.disk = content.slice();
    this.flushed = content.slice();
    this.snapshots.set(1, content.slice());
  }

  async step(): Promise<void> {
    const turn = randomBelow(this.#random, 24);
    this.image ??= await openImageForWriting(this.#store, 'web');
    if (turn < 12) await this.#change();
    else if (turn < 15) await this.image.device.flush();
    else if (turn < 19) await this.#snapshot();
    else if (turn < 20) await this.#discard();
    else if (turn < 21) await this.#restore();
    else if (turn < 22) await collectGarbage(this.#store, { waitMs: 0 }).catch(() => {});
    else await this.#reopen();
    assertEqualBytes(await contentOf((this.image ?? (await this.#open())).device), this.disk, `after turn ${turn}`);
  }

  async #open(): Promise<LiveImage> {
    this.image = await openImageForWriting(this.#store, 'web');
    return this.image;
  }

  async #change(): Promise<void> {
    const offset = randomBelow(this.#random, this.disk.length);
    const most = randomBelow(this.#random, 4) === 0 ? 200_000 : 9000;
    const length = Math.min(1 + randomBelow(this.#random, most), this.disk.length - offset);
    const { device } = this.image as LiveImage;
    if (randomBelow(this.#random, 4) === 0) {
      await device.zero(offset, length);
      this.disk.fill(0, offset, offset + length);
    } else {
      const source = pattern(length, randomBelow(this.#random, 1000));
      await device.write(source, offset);
      this.disk.set(source, offset);
    }
  }

  async #snapshot(): Promise<void> {
    const { number, stored } = await (this.image as LiveImage).snapshot();
    this.snapshots.set(number, this.disk.slice());
    if (randomBelow(this.#random, 3) === 0) await stored;
  }

  async #discard(): Promise<void> {
    await (this.image as LiveImage).discard();
    this.disk = this.#newest().slice();
  }

  async #restore(): Promise<void> {
    await (this.image as LiveImage).settled();
    const numbers = [...this.snapshots.keys()];
    const number = numbers[randomBelow(this.#random, numbers.length)]!;
    const { number: next } = await this.image!.restore(this.#store.images.resolve(`web@${number}`), {});
    this.disk = this.snapshots.get(number)!.slice();
    this.snapshots.set(next, this.disk.slice());
  }

  /** A holder that ends well, after a flush. */
  async #reopen(): Promise<void> {
    await this.image?.device.flush();
    await this.image?.[Symbol.asyncDispose]();
    this.image = undefined;
    if (randomBelow(this.#random, 2) === 0) return;
    const { number } = await snapshotImage(this.#store, 'web');
    this.snapshots.set(number, this.disk.slice());
  }

  async check(): Promise<void> {
    await this.image?.[Symbol.asyncDispose]();
    await settleImage(this.#store, 'web');
    assert.deepEqual(
      this.#store.images.snapshots('web').map(({ number }) => number),
      [...this.snapshots.keys()],
    );
    for (const [number, content] of this.snapshots) {
      assertEqualBytes(await readSnapshot(this.#store, `web@${number}`), content, `web@${number}`);
    }
    await assertClean(this.#store);
  }

  #newest(): Uint8Array {
    return [...this.snapshots.values()].at(-1) as Uint8Array;
  }
}

test('any mix of changes, flushes, snapshots, discards, restores and reopening ends as a plain model has it', async (t) => {
  const seed = Number(process.env.VARVE_MODEL_SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  for (let round = 0; round < 3; round += 1) {
    await using place = await webStore();
    const model = new Model(place.store, place.content, random);
    for (let step = 0; step < 60; step += 1) await model.step();
    await model.check();
  }
});
