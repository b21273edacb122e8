import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VarveError } from '../base/varve-error.ts';
import { ByteReader } from './byte-reader.ts';

const corrupt = (pattern: RegExp) => (error: unknown) =>
  error instanceof VarveError && error.code === 'CORRUPT' && pattern.test(error.message);

test('ByteReader reads every width in both orders, where it stands in a larger buffer', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index).subarray(1);
  const reader = new ByteReader(bytes, 'sample');
  assert.equal(reader.u8(), 0x01);
  assert.equal(reader.u16be(), 0x0203);
  assert.equal(reader.u16le(), 0x0504);
  assert.equal(reader.u32be(), 0x06070809);
  assert.equal(reader.u32le(), 0x0d0c0b0a);
  assert.equal(reader.opaque64be(), 0x0e0f101112131415n);
  assert.equal(reader.opaque64le(), 0x1d1c1b1a19181716n);
  assert.equal(reader.position, 29);
  assert.equal(reader.remaining, 10);
});

test('ByteReader reads 64-bit numbers up to 2^53-1 and refuses more', () => {
  const view = new DataView(new ArrayBuffer(16));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      view.setBigUint64(0, value);
      view.setBigUint64(8, value, true);
      const reader = new ByteReader(new Uint8Array(view.buffer), 'qcow2 header');
      if (value <= BigInt(Number.MAX_SAFE_INTEGER)) {
        assert.equal(BigInt(reader.u64be()), value);
        assert.equal(BigInt(reader.u64le()), value);
      } else {
        assert.throws(() => reader.u64be('size'), corrupt(/^qcow2 header: the size at byte 0 /));
        reader.seek(8);
        assert.throws(() => reader.u64le(), corrupt(/^qcow2 header: the number at byte 8 /));
      }
    }),
  );
});

test('ByteReader gives bytes without copying and text as UTF-8', () => {
  const source = new TextEncoder().encode('\uFEFFgrüß');
  const reader = new ByteReader(source, 'name');
  assert.equal(reader.bytes(3).buffer, source.buffer);
  reader.seek(0);
  assert.equal(reader.utf8(source.length), '\uFEFFgrüß');
  assert.equal(reader.remaining, 0);
  assert.equal(reader.bytes(0).length, 0);
});

test('ByteReader calls text that is not UTF-8 CORRUPT and says where', () => {
  const reader = new ByteReader(Uint8Array.of(0x41, 0xff, 0xfe), 'name');
  reader.skip(1);
  assert.throws(() => reader.utf8(2), corrupt(/^name: text at byte 1 is not UTF-8$/));
});

test('ByteReader refuses every read past the end, and then stands where it stood', () => {
  const reads: readonly ((reader: ByteReader) => unknown)[] = [
    (reader) => reader.u8(),
    (reader) => reader.u16be(),
    (reader) => reader.u16le(),
    (reader) => reader.u32be(),
    (reader) => reader.u32le(),
    (reader) => reader.u64be(),
    (reader) => reader.u64le(),
    (reader) => reader.opaque64be(),
    (reader) => reader.opaque64le(),
    (reader) => reader.bytes(9),
    (reader) => reader.utf8(9),
    (reader) => reader.skip(9),
    (reader) => reader.skip(-1),
    (reader) => reader.bytes(Number.NaN),
    (reader) => reader.bytes(2 ** 53),
    (reader) => reader.seek(9),
    (reader) => reader.seek(-1),
  ];
  for (const read of reads) {
    const reader = new ByteReader(new Uint8Array(8), 'table');
    reader.skip(8);
    assert.throws(() => read(reader), corrupt(/^table: /));
    assert.equal(reader.position, 8);
  }
});
