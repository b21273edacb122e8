import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZero } from './is-zero.ts';

test('isZero finds a single nonzero byte anywhere, at any length and alignment', () => {
  for (const length of [1, 2, 3, 7, 8, 9, 16, 63, 64, 65, 511]) {
    for (let start = 0; start < 8; start += 1) {
      const bytes = new Uint8Array(start + length + 3).fill(0xff).subarray(start, start + length);
      bytes.fill(0);
      assert.equal(isZero(bytes), true);
      for (let index = 0; index < length; index += 1) {
        bytes[index] = 1;
        assert.equal(isZero(bytes), false, `byte ${index} of ${length}`);
        bytes[index] = 0;
      }
    }
  }
});

test('isZero is true of nothing, and of a megabyte of zeros', () => {
  assert.equal(isZero(new Uint8Array(0)), true);
  assert.equal(isZero(new Uint8Array(2 ** 20)), true);
});

test('isZero is not fooled by bytes that all are the same', () => {
  for (const value of [1, 0x80, 0xff]) assert.equal(isZero(new Uint8Array(4096).fill(value)), false);
});
