import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MappedExtent } from '../../format/image-format.ts';
import { cut, planSteps } from './step-plan.ts';

const mebibyte = 2 ** 20;

/** A disk of so many mebibytes, all of it data; `hostOffset` says whether what is moved can be given back. */
async function* full(count: number, given: Partial<MappedExtent>): AsyncGenerator<MappedExtent, undefined> {
  yield { offset: 0, length: count * mebibyte, kind: 'data', depth: 0, present: true, compressed: false, ...given };
}

test('planSteps takes the longest steps that fit, and what is given back counts', async () => {
  const given = { overhead: mebibyte, granularity: 65536 };
  const runs = () => full(1000, { hostOffset: 65536 });
  const stepFor = async (room: number) => (await planSteps({ ...given, runs, room: room * mebibyte })).stepLength;
  assert.equal(await stepFor(1001), 256 * mebibyte);
  assert.equal(await stepFor(100), 64 * mebibyte);
  assert.equal(await stepFor(3), 2 * mebibyte);
  assert.equal(await stepFor(2.9), undefined);
});

test('planSteps counts on nothing from what has no place of its own: compressed, or in another file', async () => {
  for (const given of [{}, { hostOffset: 0, compressed: true }, { hostOffset: 0, depth: 1 }]) {
    const runs = () => full(1000, given);
    const { needed, stepLength } = await planSteps({ runs, overhead: 0, granularity: 4096, room: 999 * mebibyte });
    assert.deepEqual([stepLength, needed], [undefined, 1000 * mebibyte]);
  }
});

test('cut keeps all of the runs, and their places, in pieces that do not cross multiples of a length', async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(lengths, fc.integer({ min: 1, max: 500 }), async (runLengths, length) => {
      const runs: MappedExtent[] = [];
      for (const runLength of runLengths) {
        const offset = runs.reduce((sum, run) => sum + run.length, 0);
        const kind = runLength % 2 === 0 ? 'data' : 'hole';
        runs.push({
          offset,
          length: runLength,
          kind,
          depth: 0,
          present: true,
          compressed: false,
          hostOffset: offset * 7,
        });
      }
      const pieces = await Array.fromAsync(cut(asyncOf(runs), length));
      let position = 0;
      for (const piece of pieces) {
        const run = runs.find(({ offset, length: size }) => position >= offset && position < offset + size)!;
        assert.deepEqual([piece.offset, piece.kind], [position, run.kind]);
        assert.equal(piece.hostOffset, run.hostOffset! + position - run.offset);
        assert.equal(Math.floor(position / length), Math.floor((position + piece.length - 1) / length));
        position += piece.length;
      }
      assert.equal(
        position,
        runs.reduce((sum, run) => sum + run.length, 0),
      );
    }),
  );
});

async function* asyncOf<T>(values: readonly T[]): AsyncGenerator<T, undefined> {
  yield* values;
}
