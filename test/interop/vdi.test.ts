import assert from 'node:assert/strict';
import { open, readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import { openImage } from '../../src/format/formats.ts';
import type { WriteImageOptions } from '../../src/format/image-format.ts';
import { vdiFormat } from '../../src/format/vdi/vdi.ts';
import { assertSurvivesDamage } from './damaged-image.ts';
import { assertChecksLikeQemu } from './judged-check.ts';
import { ourRuns, qemuRuns } from './mapped-runs.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const bmapOffset = 512;

async function writePath(path: string, source: Uint8Array, options: WriteImageOptions): Promise<void> {
  await using file = await open(path, 'w');
  await vdiFormat.write(memoryDevice(source), fileTarget(file.fd, path), options);
}

describe('VDI images of qemu-img', { skip }, () => {
  for (const options of ['static=off', 'static=on']) {
    test(`${options}: content, map and check are what qemu-img says`, async () => {
      await using directory = await imageDirectory();
      const raw = await directory.save('disk.raw', mixedDisk(9 * 2 ** 20 + 512 * 77));
      const path = directory.path('image.vdi');
      await qemuImg('convert', '-f', 'raw', '-O', 'vdi', '-o', options, raw, path);
      await assertReadsLikeQemu(path);
      await assertChecksLikeQemu(vdiFormat, path);
      await qemuImg('create', '-q', '-f', 'vdi', '-o', options, path, '20M');
      await qemuIo(path, 'write -P 1 7M 100k', 'write -P 2 3M 2M', 'write -P 3 19M 1M', 'write -z 4M 1M');
      await assertReadsLikeQemu(path);
      await using disk = await openPath(path);
      if (options === 'static=off') assert.deepEqual(await ourRuns(disk), await qemuRuns(path));
      assert.equal(disk.information().clusterSize, 2 ** 20);
    });
  }

  test('places that are shared, or past the end, and a wrong count are found as qemu-img finds them', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.vdi');
    await qemuImg('create', '-q', '-f', 'vdi', path, '20M');
    await qemuIo(path, 'write -P 1 0 5M');
    const image = await readFile(path);
    image.writeUInt32LE(1, bmapOffset);
    image.writeUInt32LE(77, bmapOffset + 8);
    await writeFile(path, image);
    const report = await assertChecksLikeQemu(vdiFormat, path);
    assert.equal(report.corruptions, 3);
    assert.match(report.problems.join(), /place 1, as is another.*place 77 of 20.*blocks_allocated is 5/);
  });

  test('discarded blocks, blocks in another order and with something before each', async () => {
    await using directory = await imageDirectory();
    const content = pattern(3 * 2 ** 20, 1);
    const path = directory.path('image.vdi');
    await writePath(path, content, {});
    const image = await readFile(path);
    for (const [index, entry] of [2, 0xffff_fffe, 0].entries()) image.writeUInt32LE(entry, bmapOffset + index * 4);
    await writeFile(path, image);
    await assertReadsLikeQemu(path);
    // QEMU knows nothing of what VirtualBox may put before each block.
    image.writeUInt32LE(512, 380);
    const wide = Buffer.concat([image, Buffer.alloc(3 * 512)]);
    for (const block of [2, 1, 0]) {
      wide.copyWithin(
        2 ** 20 + block * (2 ** 20 + 512) + 512,
        2 ** 20 + block * 2 ** 20,
        2 ** 20 + (block + 1) * 2 ** 20,
      );
    }
    await using disk = await openImage(memoryDevice(wide), { name: 'wide.vdi' });
    const read = new Uint8Array(2 ** 20);
    await disk.read(read, 0);
    assert.deepEqual(read, content.subarray(2 ** 21));
    await disk.read(read, 2 ** 21);
    assert.deepEqual(read, content.subarray(0, 2 ** 20));
  });

  test('what builds on another image is UNSUPPORTED by the UUID of that, and other versions by theirs', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.vdi');
    await qemuImg('create', '-q', '-f', 'vdi', path, '1M');
    const image = await readFile(path);
    const changed = (place: number, value: number): ReturnType<typeof memoryDevice> => {
      const copy = Buffer.from(image);
      copy.writeUInt32LE(value, place);
      return memoryDevice(copy);
    };
    const refused = (device: ReturnType<typeof memoryDevice>, message: RegExp): Promise<void> =>
      assert.rejects(openImage(device, { name: 'my.vdi' }), { code: 'UNSUPPORTED', message });
    await refused(changed(76, 4), /my\.vdi: it holds only what changed since the image with the UUID/);
    await refused(changed(424, 0x0403_0201), /UUID 04030201-/);
    await refused(changed(76, 3), /undo/);
    await refused(changed(68, 0x0000_0001), /version is 0\.1/);
  });
});

describe('VDI images that we write', { skip }, () => {
  for (const options of [{}, { subformat: 'static' }, { static: 'on' }]) {
    test(`${JSON.stringify(options)}: qemu-img reads the disk and finds nothing wrong`, async () => {
      await using directory = await imageDirectory();
      for (const size of [512, 2 ** 20, 5 * 2 ** 20 + 512, 7 * 2 ** 20 - 300]) {
        const content = size < 2 ** 20 ? pattern(size, 1) : Buffer.alloc(size);
        if (size > 2 ** 20) content.set(pattern(700_000, 2), size - 1_700_000);
        const raw = await directory.save('disk.raw', content);
        const path = directory.path('image.vdi');
        await writePath(path, content, { options });
        assert.equal((await assertChecksLikeQemu(vdiFormat, path)).corruptions, 0);
        await qemuImg('compare', '-F', 'raw', path, raw);
        await assertReadsLikeQemu(path);
      }
    });
  }

  test('measure tells the size beforehand', async () => {
    await using directory = await imageDirectory();
    const content = Buffer.alloc(20 * 2 ** 20);
    content.set(pattern(3 * 2 ** 20, 1), 2 ** 20);
    for (const options of [{}, { options: { static: 'on' } }]) {
      const path = directory.path('image.vdi');
      await writePath(path, content, options);
      const source = memoryDevice(20 * 2 ** 20);
      await source.write(content.subarray(2 ** 20, 4 * 2 ** 20), 2 ** 20);
      const { fullyAllocated, required } = await vdiFormat.measure!(source, options);
      assert.equal(required, (await readFile(path)).length);
      assert.equal(fullyAllocated, 21 * 2 ** 20);
    }
  });

  test('options that it does not have are INVALID', async () => {
    for (const options of [
      { clusterSize: 4096 },
      { compression: 'zstd' },
      { options: { subformat: 'split' } },
    ] as const) {
      await assert.rejects(vdiFormat.write(memoryDevice(512), fileTarget(-1, 'x'), options), { code: 'INVALID' });
    }
  });
});

test('damaged VDI images are refused by name, or read', { skip }, async () => {
  await using directory = await imageDirectory();
  const path = directory.path('image.vdi');
  const content = pattern(2_000_384, 1);
  await writePath(path, content, {});
  await assertSurvivesDamage(vdiFormat, await readFile(path), content.subarray(0, 2 ** 20), 600);
});
