import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../../base/varve-error.ts';
import {
  type BitmapEntry,
  decodeBitmapDirectory,
  decodeBitmapsExtension,
  encodeBitmapDirectory,
  encodeBitmapsExtension,
} from './bitmap-directory.ts';

const entry: fc.Arbitrary<BitmapEntry> = fc.record(
  {
    tableOffset: fc.maxSafeNat(),
    tableSize: fc.nat(2 ** 32 - 1),
    flags: fc.nat(2 ** 32 - 1),
    type: fc.nat(255),
    granularityBits: fc.nat(255),
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    extraData: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);
const file = { clusterSize: 512, fileSize: 2 ** 20, name: 'sample' };

test('a bitmap directory is decoded as it was encoded', () => {
  const property = fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
    assert.deepEqual(decodeBitmapDirectory(encodeBitmapDirectory(entries), entries.length, 'sample'), entries);
  });
  fc.assert(property);
});

test('the extension is decoded as it was encoded', () => {
  const extension = { bitmapCount: 3, directorySize: 200, directoryOffset: 1024 };
  assert.deepEqual(decodeBitmapsExtension(encodeBitmapsExtension(extension), file), extension);
});

const impossible = [
  { bitmapCount: 0, directorySize: 200, directoryOffset: 1024 },
  { bitmapCount: 65536, directorySize: 200, directoryOffset: 1024 },
  { bitmapCount: 1, directorySize: 2 ** 40, directoryOffset: 1024 },
  { bitmapCount: 1, directorySize: 200, directoryOffset: 1000 },
  { bitmapCount: 1, directorySize: 200, directoryOffset: 0 },
  { bitmapCount: 1, directorySize: 200, directoryOffset: 2 ** 20 },
];
for (const extension of impossible) {
  test(`an extension of ${JSON.stringify(extension)} is CORRUPT`, () => {
    assert.throws(
      () => decodeBitmapsExtension(encodeBitmapsExtension(extension), file),
      (error) => isVarveError(error, 'CORRUPT') && error.message.includes('sample'),
    );
  });
}

test('a directory that is cut off, too long, or full of anything, is CORRUPT', () => {
  const anything = fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(70000), (bytes, count) => {
    try {
      decodeBitmapDirectory(bytes, count, 'sample');
    } catch (error) {
      assert.ok(isVarveError(error, 'CORRUPT'), `${error}`);
    }
  });
  fc.assert(anything);
  const cut = fc.property(entry, fc.integer({ min: 8, max: 100 }), (whole, length) => {
    const bytes = encodeBitmapDirectory([whole]);
    const rest = bytes.subarray(0, Math.max(0, bytes.length - length));
    assert.throws(
      () => decodeBitmapDirectory(rest, 1, 'sample'),
      (error) => isVarveError(error, 'CORRUPT'),
    );
  });
  fc.assert(cut);
});
