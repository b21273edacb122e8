import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseByteRange } from './byte-range.ts';

const cases: [header: string, size: number, expected: ReturnType<typeof parseByteRange>][] = [
  ['bytes=0-0', 10, { offset: 0, length: 1 }],
  ['bytes=0-9', 10, { offset: 0, length: 10 }],
  ['bytes=3-', 10, { offset: 3, length: 7 }],
  ['bytes=3-99', 10, { offset: 3, length: 7 }],
  ['Bytes = 3-4', 10, { offset: 3, length: 2 }],
  ['bytes=-3', 10, { offset: 7, length: 3 }],
  ['bytes=-30', 10, { offset: 0, length: 10 }],
  ['bytes=3-99999999999999999999', 10, { offset: 3, length: 7 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=99999999999999999999-', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=-5', 0, undefined],
  ['bytes=4-3', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes=0-1,3-4', 10, undefined],
  ['bytes=a-b', 10, undefined],
  ['bytes=0x1-2', 10, undefined],
  ['items=0-1', 10, undefined],
  ['', 10, undefined],
];

for (const [header, size, expected] of cases) {
  test(`${JSON.stringify(header)} of ${size} bytes`, () => assert.deepEqual(parseByteRange(header, size), expected));
}

test('no header asks for bytes that are not there', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
    fc.stringMatching(/^bytes=\d*-\d*$/),
  );
  fc.assert(
    fc.property(header, fc.nat({ max: 1000 }), (text, size) => {
      const range = parseByteRange(text, size);
      if (typeof range === 'object')
        assert.ok(range.offset >= 0 && range.length > 0 && range.offset + range.length <= size);
    }),
  );
});
