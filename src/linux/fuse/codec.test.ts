import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import {
  encodeAttributes,
  encodeInit,
  encodeOpen,
  encodeReplyHeader,
  encodeSeek,
  encodeStatistics,
  encodeWritten,
} from './reply-codec.ts';
import {
  decodeAllocate,
  decodeInit,
  decodeRange,
  decodeRequestHeader,
  decodeSeek,
  decodeSetAttributes,
  decodeWriteData,
} from './request-codec.ts';

/** A request of the kernel: its header, and the fields of its body. */
function request(opcode: number, body: (writer: ByteWriter) => void, bodyLength = 88): Uint8Array {
  const writer = new ByteWriter(40 + bodyLength);
  writer.u32le(40 + bodyLength);
  writer.u32le(opcode);
  writer.opaque64le(0xfedc_ba98_7654_3210n);
  writer.u64le(7);
  writer.skip(16);
  body(writer);
  return writer.bytes;
}

const decoders = [decodeRequestHeader, decodeInit, decodeRange, decodeSetAttributes, decodeAllocate, decodeSeek];

describe('requests', () => {
  test('a header tells length, opcode, node and the name of the request', () => {
    const header = decodeRequestHeader(request(15, () => {}));
    assert.deepEqual(header, { length: 128, opcode: 15, unique: 0xfedc_ba98_7654_3210n, node: 7 });
  });

  test('bodies are read from their places', () => {
    const ranged = request(43, (writer) => {
      writer.u64le(99);
      writer.u64le(2 ** 40);
      writer.u32le(4096);
      writer.u32le(0);
      writer.u32le(3);
    });
    assert.deepEqual(decodeRange(ranged), { offset: 2 ** 40, length: 4096 });
    assert.deepEqual(decodeAllocate(ranged), { offset: 2 ** 40, length: 4096, mode: 3 });
    assert.deepEqual(decodeSeek(ranged), { offset: 2 ** 40, whence: 4096 });
    const init = request(26, (writer) => {
      for (const value of [7, 45, 131072, 0x73ff_fffb]) writer.u32le(value);
    });
    assert.deepEqual(decodeInit(init), { major: 7, minor: 45, maxReadahead: 131072, flags: 0x73ff_fffb });
    const change = request(4, (writer) => {
      writer.u32le(8 + 64);
      writer.skip(12);
      writer.u64le(12345);
    });
    assert.deepEqual(decodeSetAttributes(change), { valid: 72, size: 12345 });
  });

  test('a WRITE that promises more data than there is, is refused', () => {
    const write = request(16, () => {}, 40 + 100);
    assert.equal(decodeWriteData(write, { offset: 0, length: 100 }).length, 100);
    assert.throws(() => decodeWriteData(write, { offset: 0, length: 101 }), { code: 'CORRUPT' });
  });

  test('what is cut off or not from a kernel ends in an error, or in numbers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 160 }), (bytes) => {
        for (const decode of decoders) {
          try {
            decode(bytes);
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'CORRUPT');
          }
        }
      }),
    );
  });
});

describe('replies', () => {
  test('a header tells length, the negative errno, and which request it answers', () => {
    const bytes = new Uint8Array(16);
    encodeReplyHeader(bytes, 16, 0xfedc_ba98_7654_3210n, 5);
    const reader = new ByteReader(bytes, 'reply');
    assert.deepEqual([reader.u32le(), reader.u32le() | 0, reader.opaque64le()], [16, -5, 0xfedc_ba98_7654_3210n]);
  });

  // Source: sizeof of the structures in linux/fuse.h.
  test('bodies are as long as the structures of the kernel', () => {
    const init = { major: 7, minor: 31, maxReadahead: 1, flags: 2, maxBackground: 4, maxWrite: 8, maxPages: 16 };
    const attributes = {
      ...{ node: 1, size: 2 ** 40, blocks: 3, time: 1500, mode: 0o100600, uid: 5, gid: 6, blockSize: 65536 },
    };
    assert.equal(encodeInit(init).length, 64);
    assert.equal(encodeAttributes(attributes).length, 104);
    assert.equal(encodeOpen(2).length, 16);
    assert.equal(encodeWritten(2).length, 8);
    assert.equal(encodeStatistics({ blockSize: 4096, blocks: 1, freeBlocks: 0 }).length, 80);
    assert.equal(encodeSeek(2).length, 8);
  });

  test('attributes stand where stat(2) finds them', () => {
    const attributes = {
      ...{ node: 1, size: 2 ** 40, blocks: 3, time: 1500, mode: 0o100600, uid: 5, gid: 6, blockSize: 65536 },
    };
    const reader = new ByteReader(encodeAttributes(attributes), 'attributes');
    reader.seek(16);
    const wide = Array.from({ length: 6 }, () => reader.u64le());
    const narrow = Array.from({ length: 9 }, () => reader.u32le());
    assert.deepEqual(wide, [1, 2 ** 40, 3, 1, 1, 1]);
    assert.deepEqual(narrow, [5e8, 5e8, 5e8, 0o100600, 1, 5, 6, 0, 65536]);
  });
});
