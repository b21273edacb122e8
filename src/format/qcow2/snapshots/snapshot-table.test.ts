import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../../base/varve-error.ts';
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { decodeSnapshotEntry, encodeSnapshotTable, type SnapshotEntry } from './snapshot-table.ts';

const u32 = fc.nat(2 ** 32 - 1);
const entry: fc.Arbitrary<SnapshotEntry> = fc.record(
  {
    l1TableOffset: fc.maxSafeNat(),
    l1Size: u32,
    id: fc.string({ unit: 'grapheme', maxLength: 20 }),
    name: fc.string({ unit: 'grapheme', maxLength: 40 }),
    dateSeconds: u32,
    dateNanoseconds: u32,
    clockNanoseconds: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    machineStateSize: fc.maxSafeNat(),
    diskSize: fc.maxSafeNat(),
    furtherData: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);

function decode(bytes: Uint8Array, count: number): SnapshotEntry[] {
  const reader = new ByteReader(bytes, 'snapshot table of sample');
  const entries = Array.from({ length: count }, () => decodeSnapshotEntry(reader, 'sample'));
  assert.equal(reader.remaining, 0);
  return entries;
}

test('a snapshot table is decoded as it was encoded, further extra data and all', () => {
  const property = fc.property(fc.array(entry, { maxLength: 5 }), (entries) => {
    const bytes = encodeSnapshotTable(entries, 0);
    assert.equal(bytes.length % 8, 0);
    assert.deepEqual(decode(bytes, entries.length), entries);
  });
  fc.assert(property);
});

test('an entry of version 2 has no extra data; it gets what version 3 wants', () => {
  const bytes = new Uint8Array(48);
  bytes[7] = 7;
  bytes[13] = 1;
  bytes[15] = 2;
  bytes[35] = 9;
  bytes.set(new TextEncoder().encode('1ab'), 40);
  const [old] = decode(bytes, 1);
  assert.deepEqual([old!.id, old!.name, old!.machineStateSize, old!.diskSize], ['1', 'ab', 9, undefined]);
  assert.equal(decode(encodeSnapshotTable([old!], 4096), 1)[0]!.diskSize, 4096);
});

test('a snapshot table that is cut off, or full of anything, is CORRUPT', () => {
  const property = fc.property(entry, fc.nat(200), (whole, cut) => {
    const bytes = encodeSnapshotTable([whole], 0);
    // What pads the last entry may be missing.
    const rest = bytes.subarray(0, Math.max(0, bytes.length - 8 - cut));
    assert.throws(
      () => decodeSnapshotEntry(new ByteReader(rest, 'snapshot table of sample'), 'sample'),
      (error) => isVarveError(error, 'CORRUPT'),
    );
  });
  fc.assert(property);
  const anything = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      decodeSnapshotEntry(new ByteReader(bytes, 'snapshot table of sample'), 'sample');
    } catch (error) {
      assert.ok(isVarveError(error, 'CORRUPT'), `${error}`);
    }
  });
  fc.assert(anything);
});
