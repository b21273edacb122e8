import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Extent } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { FileHoles } from './file-holes.ts';

function fileOf(size: number, data: readonly (readonly [start: number, end: number])[]) {
  const device = memoryDevice(size);
  const extents = function* (): Generator<Extent> {
    let position = 0;
    for (const [start, end] of data) {
      if (start > position) yield { offset: position, length: start - position, kind: 'hole' };
      yield { offset: start, length: end - start, kind: 'data' };
      position = end;
    }
    if (position < size) yield { offset: position, length: size - position, kind: 'hole' };
  };
  return Object.assign(Object.create(device), { size, supports: { ...device.supports, extents: true }, extents });
}

test('FileHoles knows where a file has data, in any order of asking', async () => {
  const holes = await FileHoles.of(
    fileOf(1000, [
      [0, 10],
      [100, 200],
      [300, 301],
    ]),
  );
  const ends = [0, 9, 10, 99, 100, 199, 200, 299, 300, 301, 999].map((offset) => [offset, holes.endAt(offset)]);
  const infinity = Number.POSITIVE_INFINITY;
  const expected = [0, 9, 100, 100, 100, 199, 300, 300, 300, infinity, infinity];
  assert.deepEqual(
    ends,
    ends.map(([offset], index) => [offset, expected[index]]),
  );
  for (const [offset, end] of ends.reverse()) assert.equal(holes.endAt(offset!), end);
  assert.ok(holes.has(10, 90));
  assert.ok(!holes.has(10, 91));
  assert.ok(!holes.has(9, 2));
});

test('FileHoles takes for data what comes after very many pieces, and files that tell nothing', async () => {
  const pieces = Array.from({ length: 20_000 }, (_, index) => [index * 10, index * 10 + 1] as const);
  const holes = await FileHoles.of(fileOf(1_000_000, pieces));
  assert.equal(holes.endAt(5), 10);
  assert.equal(holes.endAt(199_999), 199_999);
  const silent = memoryDevice(100);
  const told = await FileHoles.of(
    Object.assign(Object.create(silent), { supports: { ...silent.supports, extents: false } }),
  );
  assert.equal(told.endAt(5), 5);
});
