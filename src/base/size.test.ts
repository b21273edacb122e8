import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatSize, parseSize } from './size.ts';
import { VarveError } from './varve-error.ts';

const readable: readonly [text: string, bytes: number][] = [
  ['0', 0],
  ['4096', 4096],
  ['512B', 512],
  ['512 b', 512],
  ['64k', 65536],
  ['64K', 65536],
  ['64KB', 65536],
  ['64KiB', 65536],
  ['64 kib', 65536],
  ['512MiB', 512 * 2 ** 20],
  ['10G', 10 * 2 ** 30],
  ['1.5 GiB', 1.5 * 2 ** 30],
  ['0.1K', 102],
  ['2T', 2 * 2 ** 40],
  ['1P', 2 ** 50],
  [' 7 ', 7],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
];

for (const [text, bytes] of readable) {
  test(`parseSize reads ${JSON.stringify(text)}`, () => assert.equal(parseSize(text), bytes));
}

for (const text of [
  '',
  'G',
  '-1',
  '1e3',
  '0x10',
  '1.5',
  '1.5B',
  '1.',
  '.5G',
  '10X',
  '10iB',
  '10 G B',
  '8P',
  '1E',
  '9007199254740993',
]) {
  test(`parseSize refuses ${JSON.stringify(text)} and names it`, () => {
    assert.throws(
      () => parseSize(text),
      (error: unknown) =>
        error instanceof VarveError && error.code === 'INVALID' && error.message.includes(JSON.stringify(text)),
    );
  });
}

const written: readonly [bytes: number, text: string][] = [
  [0, '0 B'],
  [512, '512 B'],
  [1023, '1023 B'],
  [1023.7, '1.0 KiB'],
  [1024, '1 KiB'],
  [1025, '1.0 KiB'],
  [65536, '64 KiB'],
  [1.5 * 2 ** 30, '1.5 GiB'],
  [2 ** 20 - 1, '1.0 MiB'],
  [2 ** 40, '1 TiB'],
  [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
];

for (const [bytes, text] of written) {
  test(`formatSize writes ${bytes} as ${text}`, () => assert.equal(formatSize(bytes), text));
}

test('parseSize reads what formatSize wrote, within its rounding', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (bytes) => {
      assert.ok(Math.abs(parseSize(formatSize(bytes)) - bytes) <= bytes * 0.05);
    }),
  );
});
