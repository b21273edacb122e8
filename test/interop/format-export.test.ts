import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { openFileDevice } from '../../src/block/file-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { compressible, mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { deviceTarget } from '../../src/format/device-target.ts';
import { fileTarget } from '../../src/format/file-target.ts';
import { writableFormatNamed } from '../../src/format/formats.ts';
import type { WriteImageOptions } from '../../src/format/image-format.ts';
import { streamTarget } from '../../src/format/stream-target.ts';
import { assertClean, imageDirectory, openPath, ourMap, qemuImg, qemuMap } from './qemu-images.ts';
import { requireTool, skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const compressions = ['none', 'deflate', 'zstd'] as const;
const clusterSizes = [512, 4096, 65536, 2 ** 21];

async function writeFileImage(source: BlockDevice, format: string, path: string, options?: WriteImageOptions) {
  const fd = openSync(path, 'wx');
  try {
    await writableFormatNamed(format).write(source, fileTarget(fd, path), options);
  } finally {
    closeSync(fd);
  }
}

/** Through a real pipe: another process takes the bytes and writes the file. */
async function pipeImage(source: BlockDevice, format: string, path: string, options?: WriteImageOptions) {
  const cat = spawn('sh', ['-c', 'cat > "$0"', path], { stdio: ['pipe', 'inherit', 'inherit'] });
  const closed = once(cat, 'close');
  await writableFormatNamed(format).write(source, streamTarget(cat.stdin, 'the pipe'), options);
  cat.stdin.end();
  assert.deepEqual(await closed, [0, null]);
}

async function assertJudgedGood(path: string, raw: string): Promise<void> {
  await assertClean(path);
  await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, raw);
  await using disk = await openPath(path);
  assert.deepEqual(await ourMap(disk), await qemuMap(path));
}

describe('qcow2 images that we write', { skip }, () => {
  for (const compression of compressions) {
    test(`${compression}, every cluster size, into a file and a pipe: clean and equal for qemu-img`, async () => {
      await using directory = await imageDirectory();
      const source = mixedDisk(2 * 2 ** 20 + 512 * 9);
      const raw = await directory.save('disk.raw', source);
      for (const clusterSize of clusterSizes) {
        const path = directory.path(`${clusterSize}`);
        await writeFileImage(source, 'qcow2', path, { compression, clusterSize });
        await assertJudgedGood(path, raw);
        await pipeImage(source, 'qcow2', `${path}.piped`, { compression, clusterSize });
        await assertJudgedGood(`${path}.piped`, raw);
      }
    });
  }

  test('onto a device that held something else', async () => {
    await using directory = await imageDirectory();
    const source = mixedDisk(3 * 2 ** 20);
    const raw = await directory.save('disk.raw', source);
    for (const compression of compressions) {
      const path = await directory.save(`device-${compression}`, pattern(8 * 2 ** 20, 1));
      {
        await using device = await openFileDevice(path);
        await writableFormatNamed('qcow2').write(source, deviceTarget(device), { compression });
      }
      await assertJudgedGood(path, raw);
    }
  });

  test('with compressed clusters beside ones that do not compress: refcounts are exact', async () => {
    await using directory = await imageDirectory();
    const source = memoryDevice(12 * 2 ** 20);
    for (let offset = 0, turn = 0; offset + 65536 <= source.size; offset += 65536, turn += 1) {
      const content = turn % 3 === 0 ? pattern(65536, turn) : compressible(65536, turn);
      if (turn % 7 !== 0) await source.write(content, offset);
    }
    const raw = await directory.save('disk.raw', source);
    for (const compression of ['deflate', 'zstd'] as const) {
      for (const clusterSize of [8192, 65536]) {
        const path = directory.path(`${compression}-${clusterSize}`);
        await writeFileImage(source, 'qcow2', path, { compression, clusterSize });
        await assertJudgedGood(path, raw);
      }
    }
  });

  test('of a sparse terabyte, into a file and a pipe', async () => {
    await using directory = await imageDirectory();
    const source = memoryDevice(2 ** 40);
    for (const offset of [0, 2 ** 39 + 5000, 2 ** 40 - 70_000]) await source.write(pattern(70_000, 3), offset);
    for (const compression of compressions) {
      const path = directory.path(compression);
      await writeFileImage(source, 'qcow2', path, { compression });
      await assertClean(path);
      await pipeImage(source, 'qcow2', `${path}.piped`, { compression });
      await assertClean(`${path}.piped`);
      await qemuImg('compare', path, `${path}.piped`);
      await using disk = await openPath(path);
      assert.deepEqual(await ourMap(disk), await qemuMap(path));
    }
  });

  test('of a disk of nothing, of one sector, and of sizes that are no whole sectors', async () => {
    await using directory = await imageDirectory();
    for (const size of [0, 1, 512, 65537, 1_000_001]) {
      const raw = await directory.save(`${size}.raw`, pattern(size, 5));
      const path = directory.path(`${size}`);
      await writeFileImage(memoryDevice(pattern(size, 5)), 'qcow2', path);
      await assertClean(path);
      if (size > 0) await qemuImg('compare', '-F', 'raw', path, raw);
    }
  });

  test('qemu-img info says what was asked for', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image');
    await writeFileImage(mixedDisk(2 ** 20), 'qcow2', path, { compression: 'zstd', clusterSize: 4096 });
    const information = JSON.parse(await qemuImg('info', '--output=json', path));
    assert.equal(information['cluster-size'], 4096);
    assert.deepEqual(information['format-specific'].data, {
      compat: '1.1',
      'compression-type': 'zstd',
      'lazy-refcounts': false,
      'refcount-bits': 16,
      corrupt: false,
      'extended-l2': false,
    });
  });
});

describe('raw files that we write', { skip }, () => {
  test('from a qcow2 image, sparse, and as a pipe gets them', async () => {
    await using directory = await imageDirectory();
    const source = mixedDisk(64 * 2 ** 20);
    const raw = directory.path('disk.raw');
    await writeFileImage(source, 'qcow2', directory.path('image'), { compression: 'zstd' });
    await using disk = await openPath(directory.path('image'));
    await writeFileImage(disk, 'raw', raw);
    await pipeImage(disk, 'raw', `${raw}.piped`);
    await qemuImg('compare', '-F', 'raw', directory.path('image'), raw);
    await qemuImg('compare', '-f', 'raw', '-F', 'raw', raw, `${raw}.piped`);
    await writeFileImage(memoryDevice(2 ** 40), 'raw', directory.path('terabyte'));
    assert.equal((await stat(directory.path('terabyte'))).blocks, 0);
  });
});

test('a file system is whole after a way through qcow2, compressed, and back', { skip }, async (t) => {
  const mke2fs = requireTool(t, 'mke2fs');
  const e2fsck = requireTool(t, 'e2fsck');
  if (mke2fs === undefined || e2fsck === undefined) return;
  await using directory = await imageDirectory();
  const [raw, image, back] = [directory.path('disk.raw'), directory.path('image'), directory.path('back.raw')];
  execFileSync(mke2fs, ['-q', '-t', 'ext4', '-d', 'src', raw, '40M']);
  await using disk = await openPath(raw);
  await writeFileImage(disk, 'qcow2', image, { compression: 'zstd' });
  await assertJudgedGood(image, raw);
  await using copy = await openPath(image);
  await writeFileImage(copy, 'raw', back);
  execFileSync(e2fsck, ['-f', '-n', back], { stdio: 'ignore' });
  execFileSync('cmp', [raw, back]);
});
