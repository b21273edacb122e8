import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';

type Source = (offset: number, length: number) => Iterable<StatusRun> | AsyncIterable<StatusRun>;

/**
 * A source whose runs are whole blocks of `blockSize` bytes, a power of two, but for the end of the range: `combine`
 * says what a block is of which parts differ. With blocks of one byte it is the same source.
 */
export function inBlocks(source: Source, blockSize: number, combine: (a: number, b: number) => number): Source {
  if (blockSize === 1) return source;
  return async function* runs(offset, length): AsyncGenerator<StatusRun, undefined> {
    /** The beginning of a block whose end is in the runs to come. */
    let begun = { length: 0, flags: 0 };
    for await (const run of source(offset, length)) {
      let left = run.length;
      if (begun.length > 0) {
        const taken = Math.min(left, blockSize - begun.length);
        begun = { length: begun.length + taken, flags: combine(begun.flags, run.flags) };
        left -= taken;
        if (begun.length < blockSize) continue;
        yield begun;
      }
      const rest = left % blockSize;
      if (left > rest) yield { length: left - rest, flags: run.flags };
      begun = { length: rest, flags: run.flags };
    }
    if (begun.length > 0) yield begun;
  };
}
