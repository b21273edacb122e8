import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DiskRange } from '../format/data-ranges.ts';
import { unionRanges } from './union-ranges.ts';

const space = 64;

/** Ordered ranges without overlaps, from the gaps and lengths between. */
const ranges = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 6 })), { maxLength: 8 })
  .map((steps) => {
    const result: DiskRange[] = [];
    let position = 0;
    for (const [gap, length] of steps) {
      if (position + gap + length > space) break;
      result.push({ offset: position + gap, length });
      position += gap + length;
    }
    return result;
  });

function bytesIn(list: readonly DiskRange[]): Set<number> {
  return new Set(list.flatMap(({ offset, length }) => Array.from({ length }, (_, index) => offset + index)));
}

async function* stream(list: readonly DiskRange[]): AsyncGenerator<DiskRange> {
  yield* list;
}

test('unionRanges gives what is in either, in order, without gaps of nothing between', async () => {
  await fc.assert(
    fc.asyncProperty(ranges, ranges, async (a, b) => {
      const union = await Array.fromAsync(unionRanges(stream(a), stream(b)));
      assert.deepEqual(bytesIn(union), new Set([...bytesIn([...a, ...b])].sort((x, y) => x - y)));
      for (const [index, { offset }] of union.entries()) {
        const before = union[index - 1];
        assert.ok(before === undefined || before.offset + before.length < offset);
      }
    }),
  );
});

test('unionRanges ends both streams when it is left early', async () => {
  let open = 0;
  async function* counted(): AsyncGenerator<DiskRange> {
    open += 1;
    try {
      for (let offset = 0; offset < 1000; offset += 10) yield { offset, length: 5 };
    } finally {
      open -= 1;
    }
  }
  for await (const range of unionRanges(counted(), counted())) {
    assert.deepEqual([range, open], [{ offset: 0, length: 5 }, 2]);
    break;
  }
  assert.equal(open, 0);
});
