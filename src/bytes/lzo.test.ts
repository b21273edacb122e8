import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { unpackLzo } from './lzo.ts';

const text = (string: string) => [...Buffer.from(string)];
const end = [0x11, 0, 0];

function unpacked(source: readonly number[], room = 100_000): string {
  const target = new Uint8Array(room);
  return Buffer.from(target.subarray(0, unpackLzo(Uint8Array.from(source), target))).toString();
}

test('unpackLzo knows each kind of instruction', () => {
  const start = [21, ...text('abcd')];
  assert.equal(unpacked([...start, ...end]), 'abcd');
  // 4 bytes from 4 back, and one literal; then 2 bytes from 9 back.
  assert.equal(unpacked([...start, 0x6d, 0, ...text('e'), 0, 2, ...end]), 'abcdabcdeab');
  // 8 bytes from 1 back.
  assert.equal(unpacked([...start, 0xe0, 0, ...end]), 'abcddddddddd');
  // 33 + 255 + 7 bytes from 2 back.
  assert.equal(unpacked([...start, 0x20, 0, 7, 4, 0, ...end]), `abcd${'cd'.repeat(148).slice(0, 295)}`);
  // A run of 3 + 15 + 2 literals.
  const run = '01234567890123456789';
  assert.equal(unpacked([...start, 0x40, 0, 0, 2, ...text(run), ...end]), `abcdddd${run}`);
});

test('unpackLzo knows matches that are far back', () => {
  const zeros = Math.floor((20_000 - 18) / 255);
  const literals = Array.from({ length: 18 + zeros * 255 + 40 }, (_, index) => 97 + (index % 23));
  const source = [0, ...new Array(zeros).fill(0), 40, ...literals];
  // 3 bytes from 2049 back; then 9 bytes from 16384 + 10 back.
  const unpackedText = unpacked([...source, 0, 0, 0x17, 10 << 2, 0, ...end]);
  const whole = Buffer.from(literals).toString();
  const near = whole + whole.slice(-2049).slice(0, 3);
  assert.equal(unpackedText, near + near.slice(-16_394).slice(0, 9));
});

test('unpackLzo says where data are damaged', () => {
  for (const source of [[], [21], [21, 1, 2, 3, 4], [21, 1, 2, 3, 4, 0x6d, 9, 0], [0, 0, 0], [20, 1, 2, 3, 0x12, 0]]) {
    assert.throws(() => unpacked(source), { code: 'CORRUPT', message: /LZO data are damaged at byte \d/ });
  }
  assert.throws(() => unpacked([21, ...text('abcd'), ...end], 3), {
    code: 'CORRUPT',
    message: /holds more than it may/,
  });
});

test('unpackLzo takes any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (source) => {
      try {
        assert.ok(unpackLzo(source, new Uint8Array(100)) <= 100);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'));
      }
    }),
  );
});
