import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BlockState, BlockStates, blocksPerPage } from './block-states.ts';

const blockCount = 3 * blocksPerPage + 77;

/** Ranges that begin and end near the borders of words and pages, and anywhere. */
const place = fc.oneof(
  fc.nat(blockCount),
  fc.nat(80),
  fc.tuple(fc.nat(3), fc.integer({ min: -20, max: 20 })).map(([page, by]) => page * blocksPerPage + by),
);
const range = fc
  .tuple(place, place)
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)].map((at) => Math.min(Math.max(at, 0), blockCount)));
const change = fc.tuple(range, fc.constantFrom<BlockState>('absent', 'data', 'zero'));

describe('BlockStates', () => {
  test('say of every block what it was last made, and where runs end', () => {
    const property = fc.property(fc.array(change, { maxLength: 12 }), range, (changes, [start = 0, end = 0]) => {
      const states = new BlockStates(blockCount);
      const model = new Array<BlockState>(blockCount).fill('absent');
      for (const [[from = 0, to = 0], state] of changes) {
        states.set(from, to, state);
        model.fill(state, from, to);
      }
      for (const index of [0, start, end - 1, blockCount - 1].filter((at) => at >= 0 && at < blockCount)) {
        assert.equal(states.get(index), model[index]);
      }
      if (start === end) return;
      const firstWhere = (isWanted: (state: BlockState) => boolean): number => {
        const found = model.slice(start, end).findIndex(isWanted);
        return found < 0 ? end : start + found;
      };
      assert.equal(
        states.runEnd(start, end),
        firstWhere((state) => state !== model[start]),
      );
      assert.equal(
        states.nextData(start, end),
        firstWhere((state) => state === 'data'),
      );
      assert.equal(states.isData(start, end), firstWhere((state) => state !== 'data') === end);
      assert.equal(states.isEmpty, !model.some((state) => state !== 'absent'));
    });
    fc.assert(property, { numRuns: 100 });
  });

  test('give the pages that changed, once each, and take them back', () => {
    const states = new BlockStates(blockCount);
    states.set(5, 9, 'data');
    states.set(blocksPerPage, 3 * blocksPerPage, 'zero');
    const pages = states.takeChangedPages();
    assert.deepEqual([...pages.keys()], [0, 1, 2]);
    assert.equal(states.changedCount, 0);
    const copy = new BlockStates(blockCount);
    for (const [index, bytes] of pages) assert.ok(copy.loadPage(index, bytes));
    assert.deepEqual(
      [4, 5, 9, blocksPerPage - 1, blocksPerPage, 3 * blocksPerPage].map((index) => copy.get(index)),
      ['absent', 'data', 'absent', 'absent', 'zero', 'absent'],
    );
    states.set(2 * blocksPerPage + 1, 2 * blocksPerPage + 2, 'data');
    assert.deepEqual([...states.takeChangedPages().keys()], [2]);
    assert.equal(states.get(2 * blocksPerPage + 2), 'zero');
    assert.equal(new BlockStates(1).get(0), 'absent');
  });

  test('take no page that holds what is no state', () => {
    const states = new BlockStates(blockCount);
    assert.equal(states.loadPage(0, new Uint8Array(4096).fill(0x0c, 7, 8)), false);
    assert.equal(states.isEmpty, true);
  });
});
