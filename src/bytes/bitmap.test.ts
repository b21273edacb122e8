import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bitmap } from './bitmap.ts';

const size = 200;
const range = fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const operations = fc.array(fc.tuple(fc.boolean(), range), { maxLength: 30 });

/** The same operations on a bitmap and on an array of booleans. */
function run(steps: readonly (readonly [boolean, readonly [number, number]])[]): [Bitmap, boolean[]] {
  const bitmap = new Bitmap(size);
  const model = new Array<boolean>(size).fill(false);
  for (const [set, [start, end]] of steps) {
    if (set) bitmap.setRange(start, end);
    else bitmap.clearRange(start, end);
    model.fill(set, start, end);
  }
  return [bitmap, model];
}

test('Bitmap does what an array of booleans does', () => {
  fc.assert(
    fc.property(operations, range, (steps, [start, end]) => {
      const [bitmap, model] = run(steps);
      assert.deepEqual(
        Array.from({ length: size }, (_, index) => bitmap.has(index)),
        model,
      );
      const part = model.slice(start, end);
      assert.equal(bitmap.count(start, end), part.filter(Boolean).length);
      const firstSet = part.indexOf(true);
      assert.equal(bitmap.nextSet(start, end), firstSet === -1 ? end : start + firstSet);
      const firstClear = part.indexOf(false);
      assert.equal(bitmap.nextClear(start, end), firstClear === -1 ? end : start + firstClear);
    }),
  );
});

test('Bitmap survives toBytes and fromBytes at every size', () => {
  fc.assert(
    fc.property(operations, fc.nat(size), (steps, cut) => {
      const [bitmap, model] = run(steps);
      const bytes = bitmap.toBytes();
      assert.equal(bytes.length, size / 8);
      assert.equal(
        bytes[3],
        model.slice(24, 32).reduce((byte, bit, index) => byte + (bit ? 2 ** index : 0), 0),
      );
      const copy = Bitmap.fromBytes(bytes, cut);
      assert.equal(copy.count(), bitmap.count(0, cut));
      const expected = new Bitmap(cut);
      for (const [index, bit] of model.slice(0, cut).entries()) if (bit) expected.set(index);
      assert.deepEqual(copy.toBytes(), expected.toBytes());
    }),
  );
});

test('Bitmap: toBytes gives a copy', () => {
  const bitmap = new Bitmap(8);
  bitmap.toBytes().fill(0xff);
  assert.equal(bitmap.count(), 0);
});

test('Bitmap sets and clears single bits, also past 2^31', () => {
  const bitmap = new Bitmap(2 ** 31 + 100);
  bitmap.set(2 ** 31 + 33);
  assert.equal(bitmap.has(2 ** 31 + 33), true);
  assert.equal(bitmap.nextSet(2 ** 31 - 64), 2 ** 31 + 33);
  assert.equal(bitmap.nextSet(2 ** 31 + 34), bitmap.size);
  bitmap.clear(2 ** 31 + 33);
  assert.equal(bitmap.count(2 ** 31), 0);
});

test('Bitmap refuses what is outside', () => {
  const bitmap = new Bitmap(10);
  for (const misuse of [
    () => bitmap.has(10),
    () => bitmap.has(-1),
    () => bitmap.set(10),
    () => bitmap.setRange(3, 11),
    () => bitmap.clearRange(5, 4),
    () => bitmap.nextSet(11),
    () => bitmap.count(-1, 4),
    () => new Bitmap(-1),
    () => new Bitmap(2 ** 32),
    () => new Bitmap(1.5),
    () => Bitmap.fromBytes(new Uint8Array(1), 9),
  ]) {
    assert.throws(misuse, RangeError);
  }
});
