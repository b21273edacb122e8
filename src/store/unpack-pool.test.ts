import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { assertEqualBytes, pattern } from '../conformance/device-content.ts';
import { chunkSize } from './chunk.ts';
import { UnpackPool } from './unpack-pool.ts';

/** A chunk that shrinks, another for each `seed`. */
function chunk(seed: number): Uint8Array {
  return new Uint8Array(chunkSize).fill(seed).fill(seed + 1, seed * 100);
}

test('an unpack pool unpacks many frames at once, each to what it was', async () => {
  using pool = new UnpackPool();
  const frames = Array.from({ length: 100 }, (_, seed) =>
    zstdCompressSync(seed % 2 === 0 ? chunk(seed) : pattern(chunkSize, seed)),
  );
  const unpacked = await Promise.all(frames.map((frame) => pool.unpack(frame)));
  for (const [seed, bytes] of unpacked.entries()) {
    assertEqualBytes(bytes as Uint8Array, seed % 2 === 0 ? chunk(seed) : pattern(chunkSize, seed), `frame ${seed}`);
  }
});

test('an unpack pool gives nothing for what is no frame of a chunk, and goes on', async () => {
  using pool = new UnpackPool();
  const good = zstdCompressSync(pattern(chunkSize, 1));
  const flipped = Uint8Array.from(good);
  for (let index = 10; index < flipped.length; index += 500) flipped[index]! ^= 0x55;
  const bad: [string, Uint8Array][] = [
    ['cut short', good.subarray(0, 1000)],
    ['damaged', flipped],
    ['no frame', pattern(1000, 2)],
    ['too little', zstdCompressSync(new Uint8Array(chunkSize - 1))],
    ['too much', zstdCompressSync(new Uint8Array(chunkSize + 1))],
    ['far too much', zstdCompressSync(new Uint8Array(512 * 2 ** 20))],
  ];
  const before = process.memoryUsage.rss();
  for (const [what, frame] of [...bad, ...bad, ...bad]) {
    assert.equal(await pool.unpack(frame), undefined, what);
    assertEqualBytes((await pool.unpack(good)) as Uint8Array, pattern(chunkSize, 1), `after ${what}`);
  }
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 200 * 2 ** 20, `${grown} bytes of memory went into it`);
});
