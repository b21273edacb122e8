import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refcountCodec } from './refcount-codec.ts';

test('refcounts of every width are kept beside each other, up to the highest', () => {
  for (let order = 0; order <= 6; order += 1) {
    const codec = refcountCodec(order);
    assert.equal(codec.bits, 2 ** order);
    const block = new DataView(new ArrayBuffer(64));
    const count = (64 * 8) / codec.bits;
    const value = (index: number): number => [codec.maximum, 0, 1, Math.min(codec.maximum, index)][index % 4]!;
    for (let index = 0; index < count; index += 1) codec.set(block, index, codec.maximum);
    for (let index = 0; index < count; index += 1) codec.set(block, index, value(index));
    for (let index = 0; index < count; index += 1) assert.equal(codec.get(block, index), value(index), `${order}`);
  }
});

test('narrow refcounts begin with the least significant bits, wide ones are big-endian', () => {
  const block = new DataView(new ArrayBuffer(8));
  refcountCodec(0).set(block, 9, 1);
  refcountCodec(2).set(block, 1, 15);
  refcountCodec(4).set(block, 1, 0x1234);
  refcountCodec(5).set(block, 1, 0x12345678);
  assert.equal(Buffer.from(block.buffer).toString('hex'), 'f002123412345678');
});
