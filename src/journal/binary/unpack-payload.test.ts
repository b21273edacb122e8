import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { isVarveError } from '../../base/varve-error.ts';
import { unpackPayload } from './unpack-payload.ts';

const content = Buffer.from('MESSAGE=some words, and the same words, and the same words again');

/** A block of LZ4 with nothing but literals, and its length before it, as journals have it. */
function literalLz4(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([head, Buffer.of(0xf0, bytes.length - 15), bytes]);
}

test('unpackPayload unpacks LZ4 and zstd', async () => {
  assert.deepEqual(Buffer.from(await unpackPayload(literalLz4(content), 2)), content);
  assert.deepEqual(Buffer.from(await unpackPayload(zstdCompressSync(content), 4)), content);
});

test('unpackPayload unpacks xz, also without a checksum', { skip: skipWithout('xz') }, async () => {
  for (const check of ['none', 'crc32', 'crc64']) {
    const packed = execFileSync('xz', ['-c', '-C', check], { input: content, stdio: ['pipe', 'pipe', 'ignore'] });
    assert.deepEqual(Buffer.from(await unpackPayload(packed, 1)), content, check);
  }
});

test('unpackPayload refuses what is damaged, too long, or packed in two ways', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(17 << 20));
  for (const [packed, flags] of [
    [literalLz4(content, 100), 2],
    [literalLz4(content, 2 ** 40), 2],
    [Buffer.from('no frame'), 4],
    [bomb, 4],
    [Buffer.from('no stream'), 1],
    [content, 3],
  ] as const) {
    await assert.rejects(unpackPayload(packed, flags), (error) => isVarveError(error, 'CORRUPT', 'UNSUPPORTED'));
  }
});
