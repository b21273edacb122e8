import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Interval, IntervalSet } from './interval-set.ts';

const size = 64;
const range = fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => ({ offset: Math.min(a, b), end: Math.max(a, b) }));
const operations = fc.array(fc.record({ add: fc.boolean(), range }), { maxLength: 20 });
type Operations = readonly { readonly add: boolean; readonly range: Interval }[];

/** The same operations on an interval set and on an array that holds a boolean for each byte. */
function run(steps: Operations, length = size): [IntervalSet, boolean[]] {
  const set = new IntervalSet();
  const model = new Array<boolean>(length).fill(false);
  for (const { add, range } of steps) {
    if (add) set.add(range.offset, range.end);
    else set.remove(range.offset, range.end);
    model.fill(add, range.offset, range.end);
  }
  return [set, model];
}

/** The runs of true in [offset, end) of a model. */
function runs(model: readonly boolean[], offset = 0, end = model.length): Interval[] {
  const found: Interval[] = [];
  for (let start = offset; start < end; start += 1) {
    if (!model[start]) continue;
    let stop = start;
    while (stop < end && model[stop]) stop += 1;
    found.push({ offset: start, end: stop });
    start = stop;
  }
  return found;
}

test('IntervalSet does what an array of booleans does', () => {
  fc.assert(
    fc.property(operations, range, (steps, { offset, end }) => {
      const [set, model] = run(steps);
      assert.deepEqual([...set], runs(model));
      assert.equal(set.intervalCount, runs(model).length);
      assert.equal(set.totalLength, model.filter(Boolean).length);
      assert.deepEqual([...set.intersect(offset, end)], runs(model, offset, end));
      const opposite = model.map((present) => !present);
      assert.deepEqual([...set.gaps(offset, end)], runs(opposite, offset, end));
      assert.equal(set.has(offset, end), model.slice(offset, end).every(Boolean));
      assert.equal(set.has(offset), model[offset] ?? false);
    }),
  );
});

test('IntervalSet union, difference and intersection are those of the bytes, and change neither side', () => {
  fc.assert(
    fc.property(operations, operations, (left, right) => {
      const [a, modelA] = run(left);
      const [b, modelB] = run(right);
      const combine = (rule: (inA: boolean, inB: boolean) => boolean) =>
        runs(modelA.map((inA, index) => rule(inA, modelB[index]!)));
      const both = combine((inA, inB) => inA && inB);
      const union = a.union(b);
      assert.deepEqual(
        [...union],
        combine((inA, inB) => inA || inB),
      );
      assert.equal(
        union.totalLength,
        [...union].reduce((sum, { offset, end }) => sum + end - offset, 0),
      );
      assert.deepEqual(
        [...a.difference(b)],
        combine((inA, inB) => inA && !inB),
      );
      assert.deepEqual([...a.intersection(b)], both);
      assert.deepEqual([...a], runs(modelA));
      assert.deepEqual([...b], runs(modelB));
    }),
  );
});

test('IntervalSet holds many blocks: random adds and removes, small and huge, match the model', () => {
  const length = 20_000;
  const wide = fc
    .nat(length - 1)
    .chain((offset) =>
      fc.oneof(
        { weight: 60, arbitrary: fc.constant({ offset, end: offset + 1 }) },
        { weight: 1, arbitrary: fc.nat(length - offset).map((extra) => ({ offset, end: offset + extra })) },
      ),
    );
  const start = Array.from({ length: length / 4 }, (_, index) => ({
    add: true,
    range: { offset: index * 4, end: index * 4 + 1 },
  }));
  fc.assert(
    fc.property(fc.array(fc.record({ add: fc.boolean(), range: wide }), { maxLength: 60 }), (steps) => {
      const [set, model] = run([...start, ...steps], length);
      assert.deepEqual([...set], runs(model));
      assert.equal(set.totalLength, model.filter(Boolean).length);
    }),
    { numRuns: 30 },
  );
});

test('IntervalSet takes 100,000 intervals in random order and gives them back one by one', () => {
  const count = 100_000;
  const offsets = Array.from({ length: count }, (_, index) => ((index * 7919) % count) * 65536 * 1024);
  const set = new IntervalSet(offsets.map((offset) => ({ offset, end: offset + 65536 })));
  assert.equal(set.intervalCount, count);
  assert.equal(set.totalLength, count * 65536);
  for (const offset of offsets) set.remove(offset, offset + 65536);
  assert.deepEqual([...set], []);
  assert.equal(set.totalLength, 0);
});

test('IntervalSet works to the end of the range of offsets', () => {
  const set = new IntervalSet([{ offset: 2 ** 53 - 3, end: 2 ** 53 - 1 }]);
  set.add(2 ** 52, 2 ** 53 - 3);
  assert.deepEqual([...set], [{ offset: 2 ** 52, end: 2 ** 53 - 1 }]);
});

test('IntervalSet refuses ranges that are none', () => {
  const set = new IntervalSet();
  for (const [offset, end] of [
    [-1, 2],
    [3, 2],
    [0, 2 ** 53],
    [Number.NaN, 1],
  ] as const) {
    assert.throws(() => set.add(offset, end), RangeError);
    assert.throws(() => set.remove(offset, end), RangeError);
    assert.throws(() => set.has(offset, end), RangeError);
    assert.throws(() => [...set.intersect(offset, end)], RangeError);
  }
});
