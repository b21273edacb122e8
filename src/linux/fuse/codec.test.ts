import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { directoryEntryLength, encodeEntry, putDirectoryEntry } from './directory-codec.ts';
import {
  encodeAttributes,
  encodeInit,
  encodeOpen,
  encodeReplyHeader,
  encodeSeek,
  encodeStatistics,
  encodeWritten,
  type FuseAttributes,
} from './reply-codec.ts';
import {
  decodeAllocate,
  decodeAttributeName,
  decodeAttributeSize,
  decodeInit,
  decodeName,
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

const attributes: FuseAttributes = {
  ...{ inode: 1, size: 2 ** 40, blocks: 3, mode: 0o100600, links: 2, uid: 5, gid: 6, device: 7, blockSize: 65536 },
  accessed: { seconds: -(2 ** 32) - 1, nanoseconds: 10 },
  modified: { seconds: -1, nanoseconds: 11 },
  changed: { seconds: 2 ** 33, nanoseconds: 12 },
};

const decoders = [
  ...[decodeRequestHeader, decodeInit, decodeRange, decodeSetAttributes, decodeAllocate, decodeSeek],
  ...[decodeName, decodeAttributeName, decodeAttributeSize],
];

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

  test('names end at their zero', () => {
    const named = request(1, (writer) => writer.utf8('passwd\0rest\0'));
    assert.equal(new TextDecoder().decode(decodeName(named)), 'passwd');
    const attribute = request(22, (writer) => {
      writer.u32le(70);
      writer.u32le(0);
      writer.utf8('user.x\0');
    });
    assert.deepEqual([decodeAttributeName(attribute), decodeAttributeSize(attribute)], ['user.x', 70]);
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
    assert.equal(encodeInit(init).length, 64);
    assert.equal(encodeAttributes(attributes).length, 104);
    assert.equal(encodeOpen(2).length, 16);
    assert.equal(encodeWritten(2).length, 8);
    assert.equal(encodeStatistics({ blockSize: 4096, blocks: 1, freeBlocks: 0 }).length, 80);
    assert.equal(encodeSeek(2).length, 8);
  });

  test('attributes stand where stat(2) finds them', () => {
    const reader = new ByteReader(encodeAttributes(attributes), 'attributes');
    reader.seek(16);
    const wide = Array.from({ length: 6 }, () => BigInt.asIntN(64, reader.opaque64le()));
    const narrow = Array.from({ length: 10 }, () => reader.u32le());
    assert.deepEqual(wide, [1n, 2n ** 40n, 3n, -(2n ** 32n) - 1n, -1n, 2n ** 33n]);
    assert.deepEqual(narrow, [10, 11, 12, 0o100600, 2, 5, 6, 7, 65536, 0]);
  });

  test('an entry says which node a name stands for, and what it is', () => {
    const bytes = encodeEntry({ node: 2 ** 40 + 5, attributes });
    assert.equal(bytes.length, 128);
    assert.equal(new ByteReader(bytes, 'entry').u64le(), 2 ** 40 + 5);
    assert.deepEqual(bytes.subarray(40), encodeAttributes(attributes).subarray(16));
    const nothing = new ByteReader(encodeEntry(undefined), 'entry');
    assert.deepEqual([nothing.u64le(), nothing.u64le(), nothing.u64le() > 0], [0, 0, true]);
  });

  test('names of a directory begin at multiples of eight, and say where the next one is', () => {
    for (const isPlus of [false, true]) {
      const writer = new ByteWriter(1000);
      const name = new TextEncoder().encode('passwd');
      putDirectoryEntry(writer, { name, entry: { node: 9, attributes } }, { isPlus, next: 7 });
      const start = isPlus ? 128 : 0;
      assert.deepEqual([writer.position, directoryEntryLength(6, isPlus)], [start + 32, start + 32]);
      const reader = new ByteReader(writer.bytes, 'names');
      if (isPlus) assert.equal(reader.u64le(), 9);
      reader.seek(start);
      assert.deepEqual([reader.u64le(), reader.u64le(), reader.u32le(), reader.u32le()], [1, 7, 6, 8]);
      assert.deepEqual(reader.bytes(8), new Uint8Array([...name, 0, 0]));
    }
  });

  test('of the dots, and of what cannot be read, no node is told', () => {
    for (const [text, entry] of [
      ['.', { node: 9, attributes }],
      ['..', { node: 9, attributes }],
      ['x', undefined],
    ] as const) {
      const writer = new ByteWriter(1000);
      putDirectoryEntry(writer, { name: new TextEncoder().encode(text), entry }, { isPlus: true, next: 7 });
      const reader = new ByteReader(writer.bytes, 'names');
      assert.equal(reader.u64le(), 0);
      reader.seek(128);
      assert.equal(reader.u64le(), entry === undefined ? 0xffff_ffff : 1);
    }
  });
});
