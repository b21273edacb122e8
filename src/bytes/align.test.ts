import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alignDown, alignUp } from './align.ts';

test('alignDown and alignUp give the multiples on both sides, up to 2^53', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 2 ** 40 }), (value, alignment) => {
      const [exact, step] = [BigInt(value), BigInt(alignment)];
      assert.equal(BigInt(alignDown(value, alignment)), (exact / step) * step);
      const above = ((exact + step - 1n) / step) * step;
      if (above <= 2n ** 53n) assert.equal(BigInt(alignUp(value, alignment)), above);
    }),
  );
});
