import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

const number = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const opaque = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('ByteWriter writes what ByteReader reads', () => {
  fc.assert(
    fc.property(
      number(8),
      number(16),
      number(32),
      fc.maxSafeNat(),
      opaque,
      fc.string({ unit: 'grapheme' }),
      (a, b, c, d, e, text) => {
        const length = new TextEncoder().encode(text).length;
        const writer = new ByteWriter(45 + length);
        writer.u8(a);
        writer.u16be(b);
        writer.u16le(b);
        writer.u32be(c);
        writer.u32le(c);
        writer.u64be(d);
        writer.u64le(d);
        writer.opaque64be(e);
        writer.opaque64le(e);
        writer.utf8(text);
        assert.equal(writer.position, writer.bytes.length);
        const reader = new ByteReader(writer.bytes, 'sample');
        const read = [reader.u8(), reader.u16be(), reader.u16le(), reader.u32be(), reader.u32le(), reader.u64be()];
        assert.deepEqual(read, [a, b, b, c, c, d]);
        assert.deepEqual([reader.u64le(), reader.opaque64be(), reader.opaque64le()], [d, e, e]);
        assert.equal(reader.utf8(length), text);
      },
    ),
  );
});

test('ByteWriter fills a given buffer in place and leaves what it skips', () => {
  const target = new Uint8Array(8).fill(0xaa);
  const writer = new ByteWriter(target.subarray(1, 7));
  writer.skip(1);
  writer.put(Uint8Array.of(1, 2));
  writer.seek(5);
  writer.u8(9);
  assert.deepEqual([...target], [0xaa, 0xaa, 1, 2, 0xaa, 0xaa, 9, 0xaa]);
});

test('ByteWriter refuses to write or seek past the end', () => {
  const writes: readonly ((writer: ByteWriter) => void)[] = [
    (writer) => writer.u8(1),
    (writer) => writer.u32be(1),
    (writer) => writer.u64le(1),
    (writer) => writer.opaque64be(1n),
    (writer) => writer.put(Uint8Array.of(1)),
    (writer) => writer.utf8('x'),
    (writer) => writer.skip(1),
    (writer) => writer.seek(-1),
  ];
  for (const write of writes) {
    const writer = new ByteWriter(4);
    writer.skip(4);
    assert.throws(() => write(writer), RangeError);
  }
});
