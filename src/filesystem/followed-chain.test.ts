import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { VarveError } from '../base/varve-error.ts';
import { FollowedChain } from './followed-chain.ts';

/** A chain of `length` clusters from number 2 on; the last is followed by the one at `back`, or by none. */
function chainOf(length: number, back?: number): { chain: FollowedChain; steps: () => number } {
  let steps = 0;
  const next = async (cluster: number): Promise<number | undefined> => {
    steps += 1;
    if (cluster < length + 1) return cluster + 1;
    return back === undefined ? undefined : back + 2;
  };
  const corrupt = (why: string): never => {
    throw new VarveError('CORRUPT', `its chain ${why}`);
  };
  return { chain: new FollowedChain({ first: 2, next, corrupt }), steps: () => steps };
}

suite('FollowedChain', () => {
  test('finds each cluster, in any order, and where the chain ends', async () => {
    const places = fc.array(fc.nat(1500), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1200 }), places, async (length, indexes) => {
        const { chain } = chainOf(length);
        for (const index of indexes) assert.equal(await chain.at(index), index < length ? index + 2 : undefined);
      }),
    );
  });

  test('a circle is found after a few times its length, however far is asked for', async () => {
    const sizes = fc.integer({ min: 1, max: 600 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (length, where) => {
        const { chain, steps } = chainOf(length, where % length);
        await assert.rejects(chain.at(2 ** 28), { code: 'CORRUPT', message: /goes round in a circle/ });
        assert.ok(steps() <= 4 * length + 4, `${steps()} steps in a chain of ${length}`);
      }),
    );
  });

  test('starts near what is asked for, and not at the beginning', async () => {
    const { chain, steps } = chainOf(5000);
    await chain.at(4999);
    const before = steps();
    await chain.at(2600);
    assert.ok(steps() - before < 256);
  });
});
