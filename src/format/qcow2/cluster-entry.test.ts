import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compressedLength,
  compressedOffset,
  compressedSectorLength,
  encodeCompressedEntry,
  hostOffsetOf,
  standardKind,
} from './cluster-entry.ts';

const clusterBits = fc.integer({ min: 9, max: 21 });

test('a compressed entry gives back its offset, and its length up to the end of the last sector', () => {
  const property = fc.property(
    clusterBits,
    fc.integer({ min: 512, max: 2 ** 49 - 1 }),
    fc.nat(),
    (bits, offset, seed) => {
      const length = 1 + (seed % (2 ** bits - 1));
      const [high, low] = encodeCompressedEntry(offset, length, bits);
      assert.equal(standardKind(high, low), 'compressed');
      assert.ok(high < 2 ** 31, 'the refcount bit of a compressed entry is clear');
      assert.equal(compressedOffset(high, low, bits), offset);
      const found = compressedLength(high, low, bits);
      assert.ok(found >= length && found < length + compressedSectorLength, `${found} for ${length}`);
      assert.equal((offset + found) % compressedSectorLength, 0);
    },
  );
  fc.assert(property);
});

test('the bits of a standard entry, at their places', () => {
  assert.equal(standardKind(0, 0), 'unallocated');
  assert.equal(standardKind(0, 1), 'zero');
  assert.equal(standardKind(0x8000_0000, 0x50001), 'zero');
  assert.equal(standardKind(0x8000_0000, 0x50000), 'data');
  assert.equal(standardKind(0x4000_0000, 1), 'compressed');
  assert.equal(hostOffsetOf(0xff12_3456, 0x9abc_dfff), 0x12_3456_9abc_de00);
});

test('examples worked out by hand, for clusters of 512 bytes, 64 KiB and 2 MiB', () => {
  // x is 61, 54 and 49: one bit, eight and thirteen for the further sectors.
  assert.deepEqual(encodeCompressedEntry(0x1ff, 2, 9), [0x6000_0000, 0x1ff]);
  assert.deepEqual(encodeCompressedEntry(0x1_0000_0200, 0x401, 16), [0x4080_0001, 0x200]);
  assert.deepEqual(encodeCompressedEntry(0x200, 0x1f_ffff, 21), [0x5ffe_0000, 0x200]);
});
