import type { DiskRange } from '../format/data-ranges.ts';

/** What is in either of two ordered streams of ranges, in order and without overlaps. */
export async function* unionRanges(
  a: AsyncIterable<DiskRange>,
  b: AsyncIterable<DiskRange>,
): AsyncGenerator<DiskRange> {
  let start = 0;
  let end = 0;
  for await (const range of inOrder(a, b)) {
    if (range.offset > end) {
      if (end > start) yield { offset: start, length: end - start };
      start = range.offset;
    }
    end = Math.max(end, range.offset + range.length);
  }
  if (end > start) yield { offset: start, length: end - start };
}

/** The ranges of both streams by where they start. */
async function* inOrder(a: AsyncIterable<DiskRange>, b: AsyncIterable<DiskRange>): AsyncGenerator<DiskRange> {
  const [iteratorA, iteratorB] = [a[Symbol.asyncIterator](), b[Symbol.asyncIterator]()];
  try {
    let [nextA, nextB] = [await iteratorA.next(), await iteratorB.next()];
    while (!nextA.done || !nextB.done) {
      if (nextB.done || (!nextA.done && nextA.value.offset <= nextB.value.offset)) {
        yield nextA.value;
        nextA = await iteratorA.next();
      } else {
        yield nextB.value;
        nextB = await iteratorB.next();
      }
    }
  } finally {
    await iteratorA.return?.();
    await iteratorB.return?.();
  }
}
