import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareKeys, encodeKey, type Key, orderKeys } from './key.ts';
import { PatchedTree } from './patched-tree.ts';
import type { Item, ItemTree } from './tree.ts';

const number = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -4, max: -1 }));
const anyKey: fc.Arbitrary<Key> = fc.record({ objectid: number, type: fc.integer({ min: 0, max: 3 }), offset: number });
const nameOf = (key: Key) => JSON.stringify([key.objectid, key.type, key.offset]);
const viewOf = (byte: number) => new DataView(Uint8Array.of(byte).buffer);

/** A tree of items in an array. */
function arrayTree(items: Iterable<Item>): ItemTree {
  const sorted = [...items].sort((a, b) => orderKeys(a.key, b.key));
  return {
    name: 'an array',
    find: (key) => Promise.resolve(sorted.find((each) => orderKeys(each.key, key) === 0)?.view),
    lastUpTo: (key) => Promise.resolve(sorted.findLast((each) => orderKeys(each.key, key) <= 0)),
    async *items(from, to) {
      for (const item of sorted) if (orderKeys(item.key, from) >= 0 && orderKeys(item.key, to) <= 0) yield item;
    },
  };
}

test('keys that were taken apart are in the order of those on the disk', () => {
  fc.assert(
    fc.property(anyKey, anyKey, (a, b) => {
      assert.equal(Math.sign(orderKeys(a, b)), Math.sign(compareKeys(encodeKey(a), 0, encodeKey(b), 0)));
    }),
  );
});

test('a tree with changes is the tree with these changes', async () => {
  const change = fc.record({ key: anyKey, byte: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }) });
  const run = async (
    base: { key: Key; byte: number }[],
    changes: { key: Key; byte: number | undefined }[],
    asked: Key[],
  ) => {
    const model = new Map<string, Item>();
    for (const { key, byte } of base) model.set(nameOf(key), { key, view: viewOf(byte) });
    const tree = new PatchedTree(arrayTree([...model.values()]));
    for (const { key, byte } of changes) {
      if (byte === undefined) {
        tree.delete(key);
        model.delete(nameOf(key));
      } else {
        tree.set(key, viewOf(byte));
        model.set(nameOf(key), { key, view: viewOf(byte) });
      }
    }
    const wanted = arrayTree([...model.values()]);
    const shown = (item: Item | undefined) => item && [nameOf(item.key), item.view.getUint8(0)];
    for (const [index, key] of asked.entries()) {
      const to = asked[index + 1] ?? key;
      assert.equal((await tree.find(key))?.getUint8(0), (await wanted.find(key))?.getUint8(0));
      assert.deepEqual(shown(await tree.lastUpTo(key)), shown(await wanted.lastUpTo(key)));
      const [found, right] = [await Array.fromAsync(tree.items(key, to)), await Array.fromAsync(wanted.items(key, to))];
      assert.deepEqual(found.map(shown), right.map(shown));
    }
  };
  const base = fc.array(fc.record({ key: anyKey, byte: fc.integer({ min: 0, max: 255 }) }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(base, fc.array(change, { maxLength: 40 }), fc.array(anyKey, { maxLength: 10 }), run),
  );
});

test('ten thousand changes in any order are all there', async () => {
  const tree = new PatchedTree(arrayTree([]));
  for (let index = 0; index < 10_000; index++) {
    tree.set({ objectid: (index * 7919) % 10_000, type: 1, offset: 0 }, viewOf(index & 255));
  }
  const all = { objectid: -1, type: 255, offset: -1 };
  const found = await Array.fromAsync(tree.items({ objectid: 0, type: 0, offset: 0 }, all));
  assert.deepEqual(
    found.map(({ key }) => key.objectid),
    Array.from({ length: 10_000 }, (_, index) => index),
  );
});
