import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { CompressPool } from './compress-pool.ts';
import { bodyMethods } from './pack-format.ts';

function text(length: number, seed: number): Uint8Array {
  return Buffer.from(`${seed} is the number of this body, `.repeat(length / 16)).subarray(0, length);
}

test('a compress pool packs many bodies at once, each into a frame of its own', async () => {
  using pool = new CompressPool();
  const bodies = Array.from({ length: 200 }, (_, index) => text(index % 3 === 0 ? 65_536 : 1000 + index, index));
  const packed = await Promise.all(bodies.map((body) => pool.pack(body)));
  for (const [index, { bytes, method }] of packed.entries()) {
    assert.equal(method, bodyMethods.zstd);
    assert.ok(bytes.length < 1000);
    assert.deepEqual(zstdDecompressSync(bytes), bodies[index]);
  }
});

test('a compress pool packs a body right whatever its lanes packed before', async () => {
  using pool = new CompressPool();
  const mixed = Buffer.concat([text(40_000, 1), randomBytes(25_536)]);
  const [first] = await Promise.all([pool.pack(mixed), pool.pack(text(65_536, 2))]);
  await Promise.all(Array.from({ length: 100 }, (_, index) => pool.pack(text(65_536, index))));
  const again = await pool.pack(mixed);
  assert.deepEqual(zstdDecompressSync(again.bytes), mixed);
  assert.deepEqual(zstdDecompressSync(first?.bytes as Uint8Array), mixed);
});

test('a compress pool leaves what does not shrink as it is', async () => {
  using pool = new CompressPool();
  const noise = Array.from({ length: 40 }, () => randomBytes(65_536));
  const packed = await Promise.all(noise.map((body) => pool.pack(body)));
  for (const [index, { bytes, method }] of packed.entries()) {
    assert.equal(method, bodyMethods.plain);
    assert.equal(bytes, noise[index]);
  }
});
