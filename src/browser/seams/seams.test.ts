import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { suite, test } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { blake2b as nodeBlake2b, sha256 as nodeSha256 } from '../../filesystem/btrfs/digests.ts';
import { isUtf8 } from './buffer.ts';
import { blake2b, sha256 } from './digests.ts';
import { constants, crc32, inflateRawSync, inflateSync, zstdDecompressSync } from './zlib.ts';

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 5000 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(300)).map(([part, times]) => repeated(part, times)),
);

function repeated(part: Uint8Array, times: number): Uint8Array {
  return Uint8Array.from({ length: part.length * times }, (_, index) => part[index % part.length]!);
}

const methods = [
  ['deflate', zlib.deflateRawSync, inflateRawSync],
  ['zlib', zlib.deflateSync, inflateSync],
  ['zstd', zlib.zstdCompressSync, zstdDecompressSync],
] as const;

for (const [name, pack, unpack] of methods) {
  suite(name, () => {
    test('gives what Node packed, also with zeros behind it', () => {
      fc.assert(
        fc.property(contents, (content) => {
          const packed = Buffer.concat([pack(content), new Uint8Array(100)]);
          assert.deepEqual(Buffer.from(unpack(packed, { maxOutputLength: content.length })), Buffer.from(content));
        }),
        { numRuns: 200 },
      );
    });

    test('gives no more than is wanted', () => {
      const packed = pack(new Uint8Array(2 ** 24));
      assert.throws(() => unpack(packed, { maxOutputLength: 2 ** 24 - 1 }), { code: 'ERR_BUFFER_TOO_LARGE' });
    });

    test('refuses what is cut off, wherever that is', () => {
      const packed = pack(crypto.randomBytes(1000));
      const checksum = name === 'zlib' ? 4 : 0;
      for (let length = 0; length < packed.length - checksum; length += 1) {
        assert.throws(() => unpack(packed.subarray(0, length), { maxOutputLength: 1000 }), `${length} bytes`);
      }
    });

    test('ends for whatever it gets', () => {
      const packed = pack(repeated(crypto.randomBytes(500), 4));
      fc.assert(
        fc.property(fc.nat(packed.length - 1), fc.nat(255), (place, byte) => {
          const damaged = Uint8Array.from(packed);
          damaged[place] = byte;
          try {
            assert.ok(unpack(damaged, { maxOutputLength: 4000 }).length <= 4000);
          } catch (error) {
            assert.ok(!(error instanceof assert.AssertionError), String(error));
          }
        }),
        { numRuns: 500 },
      );
    });
  });
}

test('a stream of deflate that ends early gives what is there, where that is wanted', () => {
  const content = repeated(crypto.randomBytes(100), 50);
  const packed = zlib.deflateRawSync(content, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: content.length };
  assert.deepEqual(Buffer.from(inflateRawSync(packed, options)), Buffer.from(content));
});

test('a frame of zstd that wants more memory than it may have is refused before it gets any', () => {
  const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0);
  const params = { [constants.ZSTD_d_windowLogMax]: 23 };
  assert.throws(() => zstdDecompressSync(frame, { params }), /too much memory/);
});

test('checksums are those of Node', () => {
  fc.assert(
    fc.property(contents, fc.nat(2 ** 32 - 1), (content, before) => {
      assert.equal(crc32(content), zlib.crc32(content));
      assert.equal(crc32(content, before), zlib.crc32(content, before));
      assert.deepEqual(Buffer.from(sha256(content)), Buffer.from(nodeSha256(content)));
      assert.deepEqual(Buffer.from(blake2b(content)), Buffer.from(nodeBlake2b(content)));
    }),
  );
});

test('texts are told from other bytes', () => {
  assert.ok(isUtf8(Buffer.from('grün')));
  assert.ok(!isUtf8(Buffer.from('grün', 'latin1')));
});
