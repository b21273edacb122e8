import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layoutFor } from './layout.ts';
import { type PlacedBytes, RefcountWriter } from './refcount-writer.ts';

const layout = layoutFor(0, { clusterSize: 512 });

/** Reads the counts back the way the specification says. */
function countsOf(placed: readonly PlacedBytes[], clusterCount: number): number[] {
  const byOffset = new Map(placed.map(({ bytes, offset }) => [offset, new DataView(bytes.buffer)]));
  const table = byOffset.get(placed.at(-1)!.offset)!;
  return Array.from({ length: clusterCount }, (_, cluster) => {
    const offset = Number(table.getBigUint64(Math.floor(cluster / layout.refcountBlockEntries) * 8));
    return byOffset.get(offset)!.getUint16((cluster % layout.refcountBlockEntries) * 2);
  });
}

test('what was added, blocks given out early, and the blocks and table themselves are all counted', () => {
  const property = fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 12 }), (runs) => {
    const writer = new RefcountWriter(layout);
    const expected: number[] = [];
    const placed: PlacedBytes[] = [];
    let next = 0;
    for (const [turn, count] of runs.entries()) {
      const references = 1 + (turn % 3);
      for (let round = 0; round < references; round += 1) writer.add(next, count);
      for (let index = 0; index < count; index += 1) expected[next + index] = references;
      next += count;
      const allocate = (): number => {
        writer.add(next, 1);
        expected[next] = 1;
        next += 1;
        return next - 1;
      };
      placed.push(...writer.finished(next, allocate));
    }
    placed.push(...writer.rest(next));
    const last = placed.at(-1)!;
    const total = (last.offset + last.bytes.length) / 512;
    for (let cluster = next; cluster < total; cluster += 1) expected[cluster] = 1;
    assert.deepEqual(countsOf(placed, total), expected);
  });
  fc.assert(property);
});
