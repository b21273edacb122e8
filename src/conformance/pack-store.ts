import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MaybePromise } from '../block/block-device.ts';
import type { ObjectEntry, PackStore } from '../store/pack-store.ts';
import { assertEqualBytes, pattern } from './device-content.ts';

/** A new, empty place for objects. `open` gives another user of it each time; each test disposes of what it opens. */
export interface PackStorePlace extends AsyncDisposable {
  open(): MaybePromise<PackStore>;
}

/** What `testPackStore` may expect of the place. */
export interface PackStoreSuiteOptions {
  /** Why it cannot be tested here; false to test it. */
  readonly skip?: string | false;
}

const packKey = `packs/ab/${'ab'.repeat(32)}.pack`;
const notFound = { name: 'VarveError', code: 'NOT_FOUND' };
const corrupt = { name: 'VarveError', code: 'CORRUPT' };

/** The conformance suite of `PackStore`: a test for every clause of the interface, each in a place of its own. */
export function testPackStore(
  name: string,
  factory: () => MaybePromise<PackStorePlace>,
  options: PackStoreSuiteOptions = {},
): void {
  const clause = (title: string, check: (store: PackStore, other: PackStore) => Promise<void>) =>
    test(title, async () => {
      await using place = await factory();
      await using store = await place.open();
      await using other = await place.open();
      await check(store, other);
    });
  describe(name, { skip: options.skip ?? false }, () => {
    testNewObjects(clause);
    testSmallObjects(clause);
    testReading(clause);
    testListing(clause);
    testDeleting(clause);
  });
}

type Clause = (title: string, check: (store: PackStore, other: PackStore) => Promise<void>) => void;

function testNewObjects(clause: Clause): void {
  clause('a new object is nowhere before commit, and for everybody after it', async (store, other) => {
    await using object = await store.create();
    await object.append([pattern(1000, 1)]);
    for (const user of [store, other]) {
      assert.deepEqual(await keysOf(user, 'packs'), []);
      await rejects(() => user.size(packKey), notFound);
      await rejects(() => user.read(packKey, new Uint8Array(1), 0), notFound);
    }
    await object.commit(packKey);
    for (const user of [store, other]) {
      assert.deepEqual(await entriesOf(user, 'packs'), [{ key: packKey, size: 1000 }]);
      assertEqualBytes(await wholeOf(user, packKey), pattern(1000, 1), packKey);
    }
  });

  clause('parts are appended in order, empty ones and thousands of them too', async (store) => {
    await using object = await store.create();
    const parts = Array.from({ length: 3000 }, (_, index) => pattern(index % 7, index));
    await object.append(parts);
    await object.append([]);
    await object.append([new Uint8Array(0)]);
    await object.append([pattern(5_000_000, 5), pattern(1, 6)]);
    const expected = Buffer.concat([...parts, pattern(5_000_000, 5), pattern(1, 6)]);
    assert.equal(object.size, expected.length);
    await object.commit(packKey);
    assert.equal(object.size, expected.length);
    assertEqualBytes(await wholeOf(store, packKey), expected, packKey);
  });

  clause('the parts are the caller’s again when append is done', async (store) => {
    await using object = await store.create();
    const part = pattern(100_000, 1);
    await object.append([part]);
    part.fill(0);
    await object.commit(packKey);
    assertEqualBytes(await wholeOf(store, packKey), pattern(100_000, 1), packKey);
  });

  clause('one that nothing was appended to is empty', async (store) => {
    await using object = await store.create();
    assert.equal(object.size, 0);
    await object.commit(packKey);
    assert.equal(await store.size(packKey), 0);
  });

  clause('disposing before commit leaves nothing, after it harms nothing, twice is fine', async (store, other) => {
    const dropped = await store.create();
    await dropped.append([pattern(10, 1)]);
    await dropped[Symbol.asyncDispose]();
    await dropped[Symbol.asyncDispose]();
    const kept = await store.create();
    await kept.append([pattern(10, 2)]);
    await kept.commit(packKey);
    await kept[Symbol.asyncDispose]();
    await kept[Symbol.asyncDispose]();
    assert.deepEqual(await keysOf(other, 'packs'), [packKey]);
    assertEqualBytes(await wholeOf(store, packKey), pattern(10, 2), packKey);
  });

  clause('several grow at once without meeting', async (store, other) => {
    const keys = Array.from({ length: 8 }, (_, index) => `packs/0${index}/${index}.pack`);
    await Promise.all(
      keys.map(async (key, index) => {
        await using object = await (index % 2 === 0 ? store : other).create();
        for (let part = 0; part < 5; part += 1) await object.append([pattern(1000 + index, index)]);
        await object.commit(key);
      }),
    );
    for (const [index, key] of keys.entries()) {
      const part = pattern(1000 + index, index);
      assertEqualBytes(await wholeOf(store, key), Buffer.concat([part, part, part, part, part]), key);
    }
  });
}

function testSmallObjects(clause: Clause): void {
  const key = 'snapshots/one.json';

  clause('createIfAbsent creates what is not there, and leaves what is', async (store, other) => {
    assert.equal(await store.createIfAbsent(key, pattern(10, 1)), true);
    assert.equal(await store.createIfAbsent(key, pattern(20, 2)), false);
    assert.equal(await other.createIfAbsent(key, pattern(5, 3)), false);
    assertEqualBytes(await wholeOf(other, key), pattern(10, 1), key);
    await store.delete(key);
    assert.equal(await other.createIfAbsent(key, pattern(5, 3)), true);
    assertEqualBytes(await wholeOf(store, key), pattern(5, 3), key);
  });

  clause('of many who create one key at once one succeeds, and its bytes are there', async (store, other) => {
    const done = await Promise.all(
      Array.from({ length: 16 }, async (_, index) =>
        (index % 2 === 0 ? store : other).createIfAbsent(key, pattern(50, index)),
      ),
    );
    assert.equal(done.filter(Boolean).length, 1);
    assertEqualBytes(await wholeOf(store, key), pattern(50, done.indexOf(true)), key);
  });

  clause('replace creates, and replaces whole what anybody may have read before', async (store, other) => {
    for (const [size, seed] of [
      [100, 1],
      [10, 2],
      [0, 3],
      [200, 4],
    ] as const) {
      await store.replace(key, pattern(size, seed));
      for (const user of [store, other]) assertEqualBytes(await wholeOf(user, key), pattern(size, seed), key);
    }
    assert.deepEqual(await keysOf(store, 'snapshots'), [key]);
  });

  clause('replace replaces what createIfAbsent made', async (store) => {
    await store.createIfAbsent(key, pattern(9, 1));
    await store.replace(key, pattern(8, 2));
    assertEqualBytes(await wholeOf(store, key), pattern(8, 2), key);
  });
}

function testReading(clause: Clause): void {
  clause('any range can be read, and one of no bytes', async (store, other) => {
    const content = pattern(200_000, 1);
    await put(store, packKey, content);
    for (const [offset, length] of [
      [0, 1],
      [199_999, 1],
      [65_535, 65_538],
      [1, 199_999],
      [0, 200_000],
      [200_000, 0],
      [17, 0],
    ] as const) {
      const target = new Uint8Array(length);
      await other.read(packKey, target, offset);
      assertEqualBytes(target, content.subarray(offset, offset + length), `${length} bytes at ${offset}`);
    }
  });

  clause('a read that reaches past the end is CORRUPT and says of which object', async (store) => {
    await put(store, packKey, pattern(100, 1));
    for (const [offset, length] of [
      [0, 101],
      [99, 2],
      [100, 1],
      [2 ** 40, 1],
    ] as const) {
      await rejects(() => store.read(packKey, new Uint8Array(length), offset), { ...corrupt, message: /\.pack/ });
    }
  });

  clause('what is not there is NOT_FOUND, whatever is asked of it', async (store) => {
    await put(store, packKey, pattern(100, 1));
    for (const key of ['packs/ab/other.pack', 'packs/other/other.pack', 'nowhere/x', `${packKey}/x`]) {
      await rejects(() => store.read(key, new Uint8Array(1), 0), notFound);
      await rejects(() => store.size(key), notFound);
    }
  });

  clause('hundreds of objects can be read in any order, many times, and at once', async (store) => {
    const keys = Array.from({ length: 200 }, (_, index) => `packs/00/${index}.pack`);
    for (const [index, key] of keys.entries()) await put(store, key, pattern(100, index));
    const check = async (index: number) =>
      assertEqualBytes(await wholeOf(store, keys[index] as string), pattern(100, index), `object ${index}`);
    for (let turn = 0; turn < 1000; turn += 1) await check((turn * 37) % 200);
    await Promise.all(keys.map((_, index) => check(index)));
  });
}

function testListing(clause: Clause): void {
  clause('a list has the keys of its folder and of those in it, with sizes, and no others', async (store, other) => {
    const sizes = { 'packs/aa/1.pack': 10, 'packs/aa/2.pack': 0, 'packs/bb/3.pack': 7, 'packsack/4.pack': 1, top: 3 };
    for (const [key, size] of Object.entries(sizes)) await put(store, key, pattern(size, 1));
    await store.createIfAbsent('snapshots/5.json', pattern(5, 1));
    const all = Object.entries(sizes).map(([key, size]) => ({ key, size }));
    assert.deepEqual(await entriesOf(other, 'packs'), all.slice(0, 3));
    assert.deepEqual(await entriesOf(other, 'packs/aa'), all.slice(0, 2));
    assert.deepEqual(await keysOf(other, 'snapshots'), ['snapshots/5.json']);
  });

  clause('a list of nothing is empty', async (store) => {
    assert.deepEqual(await entriesOf(store, 'packs'), []);
    assert.deepEqual(await entriesOf(store, 'packs/zz'), []);
  });

  clause('what is deleted while it is listed is no trouble', async (store, other) => {
    for (let index = 0; index < 50; index += 1) await put(store, `packs/${index % 5}/${index}.pack`, pattern(9, index));
    let count = 0;
    for await (const { key } of store.list('packs')) {
      count += 1;
      if (count > 1) continue;
      for (let index = 0; index < 50; index += 1) {
        const victim = `packs/${index % 5}/${index}.pack`;
        if (victim !== key) await other.delete(victim);
      }
    }
    assert.ok(count >= 1);
    assert.equal((await keysOf(store, 'packs')).length, 1);
  });
}

function testDeleting(clause: Clause): void {
  clause('what is deleted is gone, and deleting what is not there is fine', async (store, other) => {
    await put(store, packKey, pattern(100, 1));
    await wholeOf(store, packKey);
    await store.delete(packKey);
    await store.delete(packKey);
    await other.delete('packs/zz/never.pack');
    await rejects(() => store.read(packKey, new Uint8Array(1), 0), notFound);
    await rejects(() => other.size(packKey), notFound);
    assert.deepEqual(await keysOf(store, 'packs'), []);
  });

  clause('a key that was deleted can be used again, and has the new bytes', async (store) => {
    await put(store, packKey, pattern(100, 1));
    await wholeOf(store, packKey);
    await store.delete(packKey);
    await put(store, packKey, pattern(50, 2));
    assertEqualBytes(await wholeOf(store, packKey), pattern(50, 2), packKey);
  });

  clause('disposing twice is fine, and takes nothing away', async (store, other) => {
    await put(store, packKey, pattern(100, 1));
    await wholeOf(store, packKey);
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    assertEqualBytes(await wholeOf(other, packKey), pattern(100, 1), packKey);
  });
}

async function put(store: PackStore, key: string, content: Uint8Array): Promise<void> {
  await using object = await store.create();
  await object.append([content]);
  await object.commit(key);
}

async function wholeOf(store: PackStore, key: string): Promise<Uint8Array> {
  const content = new Uint8Array(await store.size(key)).fill(0xaa);
  await store.read(key, content, 0);
  return content;
}

async function entriesOf(store: PackStore, prefix: string): Promise<ObjectEntry[]> {
  const entries = await Array.fromAsync(store.list(prefix));
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function keysOf(store: PackStore, prefix: string): Promise<string[]> {
  return (await entriesOf(store, prefix)).map(({ key }) => key);
}

/** Like `assert.rejects`, also for what throws before there is a promise. */
async function rejects(action: () => unknown, expected: object): Promise<void> {
  await assert.rejects(async () => action(), expected);
}
