import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Word64 } from './word64.ts';
import { xxhash64 } from './xxhash64.ts';

/** What xxhsum prints for these. */
const known: readonly (readonly [text: string, sum: string])[] = [
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['abc', '44bc2cf5ad770999'],
  ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
];

test('XXH64 of known texts', () => {
  for (const [text, sum] of known) {
    assert.equal(
      Buffer.from(xxhash64(Buffer.from(text)))
        .reverse()
        .toString('hex'),
      sum,
      text,
    );
  }
});

const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const valueIn = ({ high, low }: Word64) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

test('numbers of 64 bits are multiplied, added, turned and shifted as they should be', () => {
  fc.assert(
    fc.property(word, word, fc.integer({ min: 1, max: 31 }), fc.integer({ min: 1, max: 63 }), (a, b, turn, shift) => {
      const made = () => new Word64(a);
      const [product, sum, turned, shifted] = [made(), made(), made(), made()];
      const other = new Word64(b);
      product.multiply(other);
      sum.add(other.high, other.low);
      turned.rotate(turn);
      shifted.xorShifted(shift);
      assert.equal(valueIn(product), BigInt.asUintN(64, a * b));
      assert.equal(valueIn(sum), BigInt.asUintN(64, a + b));
      assert.equal(valueIn(turned), BigInt.asUintN(64, (a << BigInt(turn)) | (a >> BigInt(64 - turn))));
      assert.equal(valueIn(shifted), a ^ (a >> BigInt(shift)));
    }),
  );
});
