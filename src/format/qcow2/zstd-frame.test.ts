import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { pattern } from '../../conformance/device-content.ts';
import { compressible } from '../../conformance/image-format-samples.ts';
import { zstdFrameLength } from './zstd-frame.ts';

const contents = {
  nothing: new Uint8Array(0),
  'one byte': Uint8Array.of(7),
  zeros: new Uint8Array(300_000),
  text: compressible(300_000, 1),
  'random bytes': pattern(300_000, 1),
};

test('the length of every kind of frame is found, whatever follows it', () => {
  for (const [name, content] of Object.entries(contents)) {
    for (const checksum of [0, 1]) {
      for (const contentSize of [0, 1]) {
        const params = { [constants.ZSTD_c_checksumFlag]: checksum, [constants.ZSTD_c_contentSizeFlag]: contentSize };
        const frame = zstdCompressSync(content, { params });
        const followed = Buffer.concat([frame, frame, Buffer.alloc(600, 0xff)]);
        assert.equal(zstdFrameLength(followed, 'x'), frame.length, `${name} ${checksum} ${contentSize}`);
      }
    }
  }
});

test('a frame that is cut off is CORRUPT, at every length', () => {
  const frame = zstdCompressSync(compressible(3000, 1));
  for (let length = 0; length < frame.length; length += 1) {
    assert.throws(() => zstdFrameLength(frame.subarray(0, length), 'my frame'), {
      code: 'CORRUPT',
      message: /my frame/,
    });
  }
});

test('what is no frame has no length', () => {
  assert.equal(zstdFrameLength(Buffer.from('no frame at all'), 'x'), undefined);
});
