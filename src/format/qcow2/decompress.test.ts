import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import { assertEqualBytes } from '../../conformance/device-content.ts';
import { compressible } from '../../conformance/image-format-samples.ts';
import { decompressCluster } from './decompress.ts';

const clusterSize = 65536;
const cluster = compressible(clusterSize, 1);
const compress = { deflate: deflateRawSync, zstd: zstdCompressSync } as const;

for (const compression of ['deflate', 'zstd'] as const) {
  const compressed = compress[compression](cluster);

  test(`${compression}: a cluster comes back, whatever follows it in its last sector`, () => {
    for (const rest of [0, 1, 511]) {
      const bytes = Buffer.concat([compressed, compressed.subarray(0, rest)]);
      assertEqualBytes(decompressCluster(compression, bytes, clusterSize), cluster, `${rest} bytes more`);
    }
  });

  test(`${compression}: too little, too much, or nothing sensible is an error`, () => {
    const short = compress[compression](cluster.subarray(1));
    const long = compress[compression](Buffer.concat([cluster, cluster]));
    for (const bytes of [short, long, compressed.subarray(0, 200), Buffer.alloc(600, 0xff), Buffer.alloc(0)]) {
      assert.throws(() => decompressCluster(compression, bytes, clusterSize), Error);
    }
  });

  test(`${compression}: what inflates without end stops at the size of a cluster`, () => {
    const bomb = compress[compression](Buffer.alloc(64 * 2 ** 20));
    assert.ok(bomb.length < 2 ** 17);
    assert.throws(() => decompressCluster(compression, bomb, clusterSize), /more than the 65536 bytes/);
  });
}

test('deflate: the end mark may be missing', () => {
  const open = deflateRawSync(cluster, { finishFlush: constants.Z_SYNC_FLUSH });
  assertEqualBytes(decompressCluster('deflate', open, clusterSize), cluster, 'the cluster');
});

test('zstd: a window larger than 8 MiB is refused before memory is taken for it', () => {
  const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const frame = zstdCompressSync(cluster, { params });
  // One that does not tell its content's size has a window descriptor, byte 5: 2^27 bytes.
  frame[5] = (27 - 10) << 3;
  assert.throws(() => decompressCluster('zstd', frame, clusterSize), /memory/);
});
