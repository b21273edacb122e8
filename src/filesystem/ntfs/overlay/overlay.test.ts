import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../../../test/interop/require-tool.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { pattern } from '../../../conformance/device-content.ts';
import { randomBelow, seededRandom } from '../../../filter/seeded-random.ts';
import type { FileSystem } from '../../file-system.ts';
import { ntfs } from '../ntfs.ts';
import { unpackLzx } from './unpack-lzx.ts';
import { unpackXpress } from './unpack-xpress.ts';

const skip = skipWithout('mkntfs', 'ntfs-3g', 'setfattr', 'wimcapture', 'wiminfo') || whyNoMount('fuseblk');

/** By number in the reparse point. */
const algorithms = [
  { compress: 'XPRESS', chunkLength: 4096 },
  { compress: 'LZX', chunkLength: 32_768 },
  { compress: 'XPRESS', chunkLength: 8192 },
  { compress: 'XPRESS', chunkLength: 16_384 },
] as const;

/** Machine code, text, noise, zeros, and one byte again and again. */
function sampleContent(): Buffer {
  const code = fs.openSync(process.execPath, 'r');
  const machine = Buffer.alloc(400_000);
  fs.readSync(code, machine, 0, machine.length, 30_000_000);
  fs.closeSync(code);
  const text = Buffer.from(Array.from({ length: 9000 }, (_, index) => `line ${index * 7919} of some text\n`).join(''));
  return Buffer.concat([machine, text, pattern(100_000, 5), Buffer.alloc(150_000), Buffer.alloc(99_001, 'x')]);
}

/** What wimlib makes of a content: the table and chunks that WIM files and the Windows Overlay Filter share. */
async function packed(directory: string, content: Buffer, algorithm: number): Promise<Buffer> {
  const { compress, chunkLength } = algorithms[algorithm]!;
  const source = fs.mkdtempSync(join(directory, 'source-'));
  fs.writeFileSync(join(source, 'file'), content);
  const wim = `${source}.wim`;
  await run('wimcapture', [source, wim, `--compress=${compress}`, `--chunk-size=${chunkLength}`]);
  const blobs = (await run('wiminfo', ['--blobs', wim])).split('\n\n');
  const blob = blobs.find((each) => each.includes(`= ${content.length} bytes`))!;
  const number = (name: string) => Number(new RegExp(`${name} *= (\\d+)`).exec(blob)![1]);
  return fs.readFileSync(wim).subarray(number('Offset in WIM')).subarray(0, number('Compressed size'));
}

async function withOverlays(
  contents: Readonly<Record<string, { content: Buffer; algorithm: number }>>,
  check: (fileSystem: FileSystem, device: BlockDevice) => Promise<void>,
): Promise<void> {
  const open = await sampleImage(16 << 20, async (image, work) => {
    await run('mkntfs', ['-q', '-Q', '-F', image]);
    const fill = async (directory: string) => {
      for (const [name, { content, algorithm }] of Object.entries(contents)) {
        const path = join(directory, name);
        fs.writeFileSync(path, '');
        fs.truncateSync(path, content.length);
        fs.writeFileSync(`${path}:WofCompressedData`, await packed(work, content, algorithm % 4));
        const data = Buffer.from(Uint32Array.of(0x8000_0017, 16, 1, 2, 1, algorithm).buffer);
        await run('setfattr', ['-n', 'system.ntfs_reparse_data', '-v', `0x${data.toString('hex')}`, path]);
      }
    };
    await fillMounted(image, fill, { type: 'ntfs-3g', options: 'loop,streams_interface=windows' });
  });
  await using device = open();
  await using fileSystem = await ntfs.open(device, { name: 'sample' });
  await check(fileSystem, device);
}

describe('files that the Windows Overlay Filter compressed', { skip }, () => {
  test('are read, all of them and in parts', async () => {
    const content = sampleContent();
    const samples = Object.fromEntries(algorithms.map((_, algorithm) => [`${algorithm}`, { content, algorithm }]));
    await withOverlays(samples, async (fileSystem) => {
      const random = seededRandom(3);
      for (const name of Object.keys(samples)) {
        const node = (await fileSystem.lookup(fileSystem.root, Buffer.from(name)))!;
        const { kind, size, allocated } = await fileSystem.stat(node);
        assert.deepEqual([kind, size], ['file', content.length]);
        assert.ok(allocated > 0 && allocated < size);
        assert.equal((await fileSystem.extendedAttributes(node)).size, 0);
        const whole = Buffer.alloc(size + 10);
        assert.equal(await fileSystem.read(node, whole, 0), size);
        assert.ok(whole.subarray(0, size).equals(content), name);
        for (let round = 0; round < 20; round++) {
          const offset = randomBelow(random, size + 10);
          const part = Buffer.alloc(randomBelow(random, 50_000));
          const length = await fileSystem.read(node, part, offset);
          assert.ok(part.subarray(0, length).equals(content.subarray(offset, offset + part.length)));
        }
        const extents = await Array.fromAsync(fileSystem.extents(node));
        assert.deepEqual(extents, [{ offset: 0, length: size, kind: 'data' }]);
      }
    });
  });

  test('whose chunks lie past the end, or are compressed in another way, are refused', async () => {
    const content = Buffer.alloc(20_000, 'some text; ');
    await withOverlays(
      { odd: { content: Buffer.alloc(9, 'x'), algorithm: 4 }, file: { content, algorithm: 0 } },
      async (fileSystem, device) => {
        const node = async (name: string) => (await fileSystem.lookup(fileSystem.root, Buffer.from(name)))!;
        const refused = { code: 'UNSUPPORTED', message: /record \d+ is compressed in an unknown way/ };
        await assert.rejects(fileSystem.read(await node('odd'), new Uint8Array(1), 0), refused);
        const bytes = Buffer.alloc(device.size);
        await device.read(bytes, 0);
        const stored = bytes.indexOf(await oneOverlay(content));
        assert.ok(stored > 0);
        await device.write(Uint8Array.of(0xff, 0xff), stored);
        await using broken = await ntfs.open(device, { name: 'sample' });
        const corrupt = {
          code: 'CORRUPT',
          message: /chunk 0 of the data “WofCompressedData” of the file of record \d+ has 65535 bytes/,
        };
        await assert.rejects(broken.read(await node('file'), new Uint8Array(1), 0), corrupt);
      },
    );
  });
});

/** The table and first chunks of a content, as they are on the disk. */
async function oneOverlay(content: Buffer): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  await sampleImage(0, async (_image, work) => {
    bytes = await packed(work, content, 0);
  });
  return bytes.subarray(0, 500);
}

test('any bytes unpack to something, or to what is wrong', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  for (let round = 0; round < 400; round++) {
    const bytes = Uint8Array.from({ length: randomBelow(random, 3000) }, () => randomBelow(random, 256));
    // Codes that can be, every other time: all words of 9 bits, or an aligned block.
    if (round % 2 === 0) bytes.subarray(0, 256).fill(0x99);
    for (const unpack of [unpackXpress, unpackLzx]) {
      const target = new Uint8Array(32_768);
      const problem = unpack(bytes, target);
      assert.ok(problem === undefined || problem.length > 5, `seed ${seed}, round ${round}`);
    }
  }
});
