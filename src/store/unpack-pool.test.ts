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

test('an unpack pool unpacks many runs of frames at once, each to what it was', async () => {
  using pool = new UnpackPool();
  const chunks = Array.from({ length: 100 }, (_, seed) => (seed % 2 === 0 ? chunk(seed) : pattern(chunkSize, seed)));
  const frames = chunks.map((bytes) => zstdCompressSync(bytes));
  const runs = [frames.slice(0, 1), frames.slice(1, 17), frames.slice(17, 50), frames.slice(50, 52), frames.slice(52)];
  const unpacked = await Promise.all(runs.map((run) => pool.unpack(Buffer.concat(run), run.length)));
  for (const [seed, bytes] of unpacked.flatMap((run) => run ?? []).entries()) {
    assertEqualBytes(bytes, chunks[seed] as Uint8Array, `frame ${seed}`);
  }
  assert.equal(unpacked.flat().length, 100);
});

test('an unpack pool gives nothing for what is no run of frames of chunks, and goes on', async () => {
  using pool = new UnpackPool();
  const good = zstdCompressSync(pattern(chunkSize, 1));
  const other = zstdCompressSync(chunk(2));
  const flipped = Uint8Array.from(good);
  for (let index = 10; index < flipped.length; index += 500) flipped[index]! ^= 0x55;
  const bad: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['cut short', good.subarray(0, 1000)],
    ['damaged', flipped],
    ['no frame', pattern(1000, 2)],
    ['too little', zstdCompressSync(new Uint8Array(chunkSize - 1))],
    ['too much', zstdCompressSync(new Uint8Array(chunkSize + 1))],
    ['two chunks', zstdCompressSync(new Uint8Array(2 * chunkSize))],
    ['an empty frame', zstdCompressSync(new Uint8Array(0))],
    ['far too much', zstdCompressSync(new Uint8Array(512 * 2 ** 20))],
  ];
  const before = process.memoryUsage.rss();
  for (const [what, frame] of [...bad, ...bad]) {
    assert.equal(await pool.unpack(frame, 1), undefined, what);
    assert.equal(await pool.unpack(Buffer.concat([other, frame, other]), 3), undefined, `${what}, amid others`);
    const [first, second] = (await pool.unpack(Buffer.concat([good, other]), 2)) ?? [];
    assertEqualBytes(first as Uint8Array, pattern(chunkSize, 1), `after ${what}`);
    assertEqualBytes(second as Uint8Array, chunk(2), `after ${what}`);
  }
  assert.equal(await pool.unpack(Buffer.concat([good, other]), 1), undefined, 'more than was said');
  assert.equal(await pool.unpack(Buffer.concat([good, other]), 3), undefined, 'less than was said');
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 200 * 2 ** 20, `${grown} bytes of memory went into it`);
});
