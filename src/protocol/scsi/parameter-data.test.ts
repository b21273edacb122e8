import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../../base/varve-error.ts';
import {
  decodeUnmapList,
  encodeBlockStatus,
  encodeCapacity10,
  encodeCapacity16,
  encodeLuns,
} from './parameter-data.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const disk = { blockCount: 0x40000, blockSize: 512, granularity: 4096, isThin: true };

test('a disk says how large it is, in blocks that it likes in eights', () => {
  assert.equal(hex(encodeCapacity10(disk)), '0003ffff00000200');
  assert.equal(hex(encodeCapacity16(disk)), `000000000003ffff000002000003c000${'00'.repeat(16)}`);
});

test('a disk over 2 TiB says so by the largest number, and how large it is in the longer answer', () => {
  const large = { ...disk, blockCount: 2 ** 33, isThin: false };
  assert.equal(hex(encodeCapacity10(large)), 'ffffffff00000200');
  assert.equal(hex(encodeCapacity16(large)).slice(0, 32), '00000001ffffffff0000020000030000');
});

test('there is one disk, of number 0', () => {
  assert.equal(hex(encodeLuns()), '00000008000000000000000000000000');
});

test('runs of blocks are told with what they are', () => {
  const runs = [
    { lba: 8, count: 16, isMapped: true },
    { lba: 24, count: 8, isMapped: false },
  ];
  const [first, second] = ['00000000000000080000001000000000', '00000000000000180000000801000000'];
  assert.equal(hex(encodeBlockStatus(runs)), `0000002400000000${first}${second}`);
});

test('ranges to unmap are read, and a list that contradicts itself is none', () => {
  const range = '000000000000000800000010 00000000'.replace(' ', '');
  const list = (text: string): Uint8Array => Buffer.from(text, 'hex');
  assert.deepEqual(decodeUnmapList(list(`0016001000000000${range}`)), [{ lba: 8, count: 16 }]);
  assert.deepEqual(decodeUnmapList(list('0006000000000000')), []);
  assert.equal(decodeUnmapList(list('0016001000000000')), undefined);
  assert.equal(decodeUnmapList(list(`0016002000000000${range}`)), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        assert.ok((decodeUnmapList(bytes)?.length ?? 0) <= 6);
      } catch (error) {
        assert.ok(isVarveError(error, 'CORRUPT'));
      }
    }),
  );
});
