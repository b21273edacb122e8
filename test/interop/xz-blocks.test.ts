import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { testBlockDevice } from '../../src/conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../../src/conformance/device-content.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { type LoggedRequest, requestLogFilter } from '../../src/filter/request-log.ts';
import { unpackIfCompressed } from '../../src/image/compressed-file.ts';
import { readXzBlocks } from '../../src/image/compressed-file-xz-index.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('xz');
const options = { label: 'my disk', directory: tmpdir() };

async function xz(content: Uint8Array, ...more: string[]): Promise<Buffer> {
  const child = spawn('xz', ['-0', '--stdout', ...more], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(content);
  return await buffer(child.stdout);
}

/** Some that packs well, some that does not, and zeros; in blocks of 64 KiB. */
const content = Buffer.concat([
  pattern(100_000, 1),
  Buffer.alloc(300_000),
  Buffer.alloc(99_999, 'text '),
  pattern(77, 2),
]);
const packed = skip ? Buffer.alloc(0) : await xz(content, '--block-size=64KiB');

testBlockDevice(
  'an xz file of several blocks',
  async (each) => (await unpackIfCompressed(memoryDevice(await xz(each, '--block-size=16KiB')), options)).file,
  { skip, writable: false, sizes: [40_000, 140_001], sparse: false },
);

describe('an xz file of several blocks', { skip }, () => {
  test('is unpacked where it is read, each block once', async () => {
    for (const late of [false, true]) {
      const told: LoggedRequest[] = [];
      const file = late ? delayFilter(memoryDevice(packed)) : memoryDevice(packed);
      const unpacked = await unpackIfCompressed(
        requestLogFilter(file, (request) => told.push(request)),
        options,
      );
      await using inside = unpacked.file;
      assert.deepEqual(unpacked.packing, { kind: 'xz', size: packed.length });
      const blocks = (await readXzBlocks(memoryDevice(packed))) ?? [];
      assert.equal(blocks.length, 8);
      told.length = 0;
      const requests = [70_000, 70_100, 120_000].map((offset) => contentOf(inside, offset, 1000));
      assertEqualBytes((await Promise.all(requests))[1]!, content.subarray(70_100, 71_100), 'content');
      const { fileLength, fileOffset } = blocks[1]!;
      assert.equal(
        told.reduce((sum, { length }) => sum + length, 0),
        fileLength,
      );
      for (const { offset } of told) assert.ok(offset >= fileOffset && offset < fileOffset + fileLength);
      assertEqualBytes(await contentOf(inside), content, 'content');
      assert.equal(inside.read(new Uint8Array(10), 5), undefined, 'what is unpacked is read at once');
      const runs = (await extentsOf(inside)).filter(({ kind }) => kind !== 'data');
      assert.ok(runs.reduce((sum, { length }) => sum + length, 0) > 280_000, 'zeros take no space');
    }
  });

  test('of all kinds that xz makes, with streams one behind the other and zeros between and behind', async () => {
    for (const check of ['none', 'crc32', 'crc64', 'sha256']) {
      const one = await xz(content, '--block-size=100KiB', `--check=${check}`);
      const other = await xz(content.subarray(0, 5000), `--check=${check}`);
      for (const [bytes, expected] of [
        [one, content],
        [Buffer.concat([one, other]), Buffer.concat([content, content.subarray(0, 5000)])],
        [
          Buffer.concat([other, Buffer.alloc(8), one, Buffer.alloc(400)]),
          Buffer.concat([content.subarray(0, 5000), content]),
        ],
      ] as const) {
        const blocks = (await readXzBlocks(memoryDevice(bytes))) ?? [];
        const lengths = blocks.map(({ length: each }) => each);
        assert.equal(
          lengths.reduce((sum, each) => sum + each, 0),
          expected.length,
        );
        const unpacking = unpackIfCompressed(memoryDevice(bytes), options);
        if (check === 'sha256') await assert.rejects(unpacking, { code: 'UNSUPPORTED', message: /xz -d/ });
        else {
          await using inside = (await unpacking).file;
          assertEqualBytes(await contentOf(inside), expected, check);
        }
      }
    }
  });

  test('a damaged block fails where it is read, by name, and the others do not', async () => {
    const damaged = Buffer.from(packed);
    const blocks = (await readXzBlocks(memoryDevice(packed))) ?? [];
    damaged[blocks[1]!.fileOffset + 40]! ^= 1;
    await using inside = (await unpackIfCompressed(memoryDevice(damaged), options)).file;
    const reading = async () => contentOf(inside, 65_536, 1);
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(reading, { code: 'CORRUPT', message: /my disk, which is compressed by xz/ });
    }
    assertEqualBytes(await contentOf(inside, 0, 65_536), content.subarray(0, 65_536), 'the block before');
    assertEqualBytes(await contentOf(inside, 131_072), content.subarray(131_072), 'the blocks behind');
  });

  test('cut off anywhere, and with changed bytes, it is CORRUPT, or has the content that it should have', async () => {
    const change = fc.record({ place: fc.nat(packed.length - 1), value: fc.nat(255) });
    const end = fc.record({
      place: fc.integer({ min: packed.length - 150, max: packed.length - 1 }),
      value: fc.nat(255),
    });
    const changes = fc.array(fc.oneof(change, end), { maxLength: 3 });
    const property = fc.asyncProperty(changes, fc.option(fc.nat(packed.length)), async (each, length) => {
      const damaged = Buffer.from(packed.subarray(0, length ?? undefined));
      for (const { place, value } of each) if (place < damaged.length) damaged[place] = value;
      try {
        await using inside = (await unpackIfCompressed(memoryDevice(damaged), options)).file;
        // What is no xz file any more is taken as it is.
        const found = await contentOf(inside);
        if (isXz(damaged)) assertEqualBytes(found, content, 'content');
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'ERR_ASSERTION') throw error;
        assert.ok(isXz(damaged) && (code === 'CORRUPT' || code === 'UNSUPPORTED'), `${error}`);
        assert.match(message, /my disk/);
      }
    });
    await fc.assert(property, { numRuns: 100 });
  });
});

function isXz(bytes: Buffer): boolean {
  return bytes.length >= 10 && bytes.readUIntBE(0, 6) === 0xfd377a585a00;
}
