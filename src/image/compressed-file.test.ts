import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { memoryDevice } from '../block/memory-device.ts';
import { contentOf } from '../conformance/device-content.ts';
import { delayFilter } from '../filter/delay.ts';
import { unpackIfCompressed } from './compressed-file.ts';
import { Bzip2Thread } from './compressed-file-bzip2-thread.ts';

const options = { label: 'my disk', directory: tmpdir() };

test('what is not compressed is given back as it is, whatever it starts with', async () => {
  for (const content of ['', 'x', '\x1f\x8b', 'BZh9 is how some text may start', '(\xb5/\xfc'.padEnd(64)]) {
    const file = memoryDevice(Buffer.from(content, 'latin1'));
    const unpacked = await unpackIfCompressed(file, options);
    assert.equal(unpacked.file, file);
    assert.equal(unpacked.packing, undefined);
  }
});

test('a file that answers late is unpacked, and disposed of then', async () => {
  const content = Buffer.concat([Buffer.alloc(300_000), randomBytes(300_001), Buffer.alloc(100_000, 'text ')]);
  for (const packed of [gzipSync(content), zstdCompressSync(content)]) {
    let disposals = 0;
    const file = Object.assign(delayFilter(memoryDevice(Buffer.concat([packed, packed]))), {
      [Symbol.asyncDispose]: async () => {
        disposals += 1;
      },
    });
    const unpacked = await unpackIfCompressed(file, options);
    await using inside = unpacked.file;
    assert.equal(disposals, 1);
    assert.equal(unpacked.packing?.size, packed.length * 2);
    assert.equal(Buffer.compare(await contentOf(inside), Buffer.concat([content, content])), 0);
  }
});

test('a gzip member with a name, a comment, an extra field and a checksum of its header', async () => {
  const plain = gzipSync('the disk');
  const fields = Buffer.from('\x05\x00extraname\x00comment\x00\x12\x34', 'latin1');
  const packed = Buffer.concat([plain.subarray(0, 10), fields, plain.subarray(10)]);
  packed[3] = 2 + 4 + 8 + 16;
  const { file } = await unpackIfCompressed(memoryDevice(packed), options);
  await using inside = file;
  assert.equal(Buffer.from(await contentOf(inside)).toString(), 'the disk');
});

test('changed bytes end in CORRUPT by name, or in some content', async () => {
  const content = Buffer.concat([Buffer.alloc(3000, 'abc'), randomBytes(3000)]);
  for (const packed of [gzipSync(content), zstdCompressSync(content)]) {
    const change = fc.record({ place: fc.nat(packed.length - 1), value: fc.nat(255) });
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const damaged = Buffer.from(packed);
      for (const { place, value } of changes) damaged[place] = value;
      try {
        await using inside = (await unpackIfCompressed(memoryDevice(damaged), options)).file;
        await contentOf(inside);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        assert.ok(code === 'CORRUPT' || code === 'UNSUPPORTED', `${error}`);
        assert.match(message, /my disk/);
      }
    });
    await fc.assert(property, { numRuns: 150 });
  }
});

test('a bzip2 block with a run of more than 2^32 bytes is damaged', async () => {
  const unpacking = unpackIfCompressed(memoryDevice(blockWithLongRun()), options);
  await assert.rejects(unpacking, { code: 'CORRUPT', message: /my disk, which is compressed by bzip2: it is damaged/ });
});

test('a bzip2 thread that says nothing for too long is given up', async () => {
  await using thread = new Bzip2Thread(300);
  assert.equal((await thread.request()).kind, 'input');
  await assert.rejects(thread.request(), { kind: 'damaged', message: /does not end/ });
});

/** A block whose run of one byte is so long that its length is no number of 32 bits any more. */
function blockWithLongRun(): Uint8Array {
  const bits = [
    ...[...'BZh9'].map((letter) => letter.charCodeAt(0).toString(2).padStart(8, '0')),
    (0x314159265359).toString(2).padStart(48, '0'),
    // Checksum, not randomised, start, one used byte value.
    `${'0'.repeat(32)}0${'0'.repeat(24)}1${'0'.repeat(15)}1${'0'.repeat(15)}`,
    // Two tables, one selector; in each table three symbols of two bits.
    `010${'1'.padStart(15, '0')}0${'00010000'.repeat(2)}`,
    `${'00'.repeat(32)}10`,
  ].join('');
  const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8 + 80, '0').match(/.{8}/g)!;
  return Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2));
}
