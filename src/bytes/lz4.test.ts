import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { unpackLz4 } from './lz4.ts';

const text = (string: string) => [...Buffer.from(string)];

function unpacked(source: readonly number[], room = 1000): string {
  const target = new Uint8Array(room);
  return Buffer.from(target.subarray(0, unpackLz4(Uint8Array.from(source), target))).toString();
}

test('unpackLz4 copies literals, and matches that reach into themselves', () => {
  assert.equal(unpacked([0x10, ...text('b')]), 'b');
  assert.equal(unpacked([0x11, ...text('a'), 1, 0, 0x10, ...text('b')]), 'aaaaaab');
  assert.equal(unpacked([0x3f, ...text('abc'), 3, 0, 5, 0x50, ...text('12345')]), `${'abc'.repeat(9)}12345`);
  const long = 'x'.repeat(15 + 255 + 2);
  assert.equal(unpacked([0xf0, 255, 2, ...text(long)]), long);
});

test('unpackLz4 stops when there is no more room', () => {
  assert.equal(unpacked([0x11, ...text('a'), 1, 0, 0x10, ...text('b')], 3), 'aaa');
  assert.equal(unpacked([0x40, ...text('abcd')], 2), 'ab');
});

test('unpackLz4 says where data are damaged', () => {
  for (const source of [
    [0xf0],
    [0xf0, 255],
    [0x40, 1, 2],
    [0x10, 1, 1],
    [0x10, 1, 2, 0],
    [0x10, 1, 0, 0],
    [0x1f, 1, 1, 0],
  ]) {
    assert.throws(() => unpacked(source), { code: 'CORRUPT', message: /LZ4 data are damaged at byte \d/ });
  }
});

test('unpackLz4 takes any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (source) => {
      try {
        assert.ok(unpackLz4(source, new Uint8Array(100)) <= 100);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'));
      }
    }),
  );
});
