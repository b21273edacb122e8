import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { contentOf, pattern } from '../../src/conformance/device-content.ts';
import { compressible, mixedDisk } from '../../src/conformance/image-format-samples.ts';
import { parallelsFormat } from '../../src/format/parallels/parallels.ts';
import { assertSurvivesDamage } from './damaged-image.ts';
import { assertChecksLikeQemu, assertRepairsLikeQemu } from './judged-check.ts';
import { ourRuns, qemuRuns } from './mapped-runs.ts';
import { assertReadsLikeQemu, imageDirectory, openPath, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');

describe('Parallels images of qemu-img', { skip }, () => {
  for (const options of ['cluster_size=1M', 'cluster_size=64k', 'cluster_size=16k']) {
    test(`${options}: content, map and check are what qemu-img says`, async () => {
      await using directory = await imageDirectory();
      const raw = await directory.save('disk.raw', mixedDisk(2 ** 20 + 512 * 777));
      const path = directory.path('image.hds');
      await qemuImg('convert', '-f', 'raw', '-O', 'parallels', '-o', options, raw, path);
      await assertReadsLikeQemu(path);
      await assertChecksLikeQemu(parallelsFormat, path);
      await qemuImg('create', '-q', '-f', 'parallels', '-o', options, path, '20M');
      await qemuIo(path, 'write -P 1 7M 100k', 'write -P 2 3M 2M', 'write -P 3 19M 1M');
      await assertReadsLikeQemu(path);
      await assertChecksLikeQemu(parallelsFormat, path);
      await using disk = await openPath(path);
      assert.deepEqual(await ourRuns(disk), await qemuRuns(path));
    });
  }

  test('an older image, whose BAT counts in sectors and whose clusters have 63', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.hds');
    const content = pattern(63 * 512 * 3, 1);
    await writeFile(path, olderImage(content));
    await assertReadsLikeQemu(path);
    await assertChecksLikeQemu(parallelsFormat, path);
    await using disk = await openPath(path);
    assert.deepEqual(Buffer.from(await contentOf(disk, 0, content.length)), Buffer.from(content));
    assert.equal(disk.size, 63 * 512 * 4);
    assert.deepEqual(await ourRuns(disk), await qemuRuns(path));
  });

  test('clusters outside of the file, and space that nothing uses, are found as qemu-img finds them', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.hds');
    await qemuImg('create', '-q', '-f', 'parallels', '-o', 'cluster_size=64k', path, '4M');
    await qemuIo(path, 'write -P 1 0 512k');
    const image = await readFile(path);
    await truncate(path, image.length + 200_000);
    assert.ok((await assertChecksLikeQemu(parallelsFormat, path)).leaks > 0);
    const freed = await assertRepairsLikeQemu(parallelsFormat, path);
    assert.deepEqual([freed.leaks, freed.leaksFixed], [0, 4]);
    const outside = Buffer.from(image);
    outside.writeUInt32LE(1000, 64 + 4 * 3);
    await writeFile(path, outside);
    assert.equal((await assertChecksLikeQemu(parallelsFormat, path)).corruptions, 1);
    const forgotten = await assertRepairsLikeQemu(parallelsFormat, path);
    assert.deepEqual([forgotten.corruptions, forgotten.corruptionsFixed], [0, 1]);
    const shared = Buffer.from(image);
    shared.writeUInt32LE(shared.readUInt32LE(64), 64 + 4);
    const report = await parallelsFormat.check!(memoryDevice(shared), { name: 'x' });
    assert.match(report.problems.join(), /cluster 1 is at byte \d+, which is in use already/);
  });

  test('what was not closed says so, and is read all the same', async () => {
    await using directory = await imageDirectory();
    const path = directory.path('image.hds');
    await qemuImg('create', '-q', '-f', 'parallels', path, '4M');
    const image = await readFile(path);
    image.writeUInt32LE(0x746f_6e59, 44);
    await writeFile(path, image);
    assert.equal((await assertChecksLikeQemu(parallelsFormat, path)).corruptions, 1);
    assert.equal((await assertRepairsLikeQemu(parallelsFormat, path)).corruptionsFixed, 1);
    await using disk = await openPath(path);
    assert.equal(disk.information().dirty, true);
  });

  test('damaged images are refused by name, or read', async () => {
    await using directory = await imageDirectory();
    const content = compressible(1_000_448, 1);
    const raw = await directory.save('disk.raw', content);
    const path = directory.path('image.hds');
    await qemuImg('convert', '-f', 'raw', '-O', 'parallels', '-o', 'cluster_size=16k', raw, path);
    await assertSurvivesDamage(parallelsFormat, await readFile(path), content, 400);
  });
});

/** An image of the first kind with clusters of 63 sectors, stored last to first; a fourth cluster is not there. */
function olderImage(content: Uint8Array): Buffer {
  const cluster = 63 * 512;
  const image = Buffer.alloc(512 + content.length);
  image.write('WithoutFreeSpace', 'latin1');
  for (const [index, value] of [2, 16, 1, 63, 4, 63 * 4].entries()) image.writeUInt32LE(value, 16 + index * 4);
  // Only half of this field counts in such an image.
  image.writeUInt32LE(0xdead, 40);
  image.writeUInt32LE(1, 48);
  for (const block of [0, 1, 2]) {
    image.writeUInt32LE(1 + 63 * (2 - block), 64 + block * 4);
    image.set(content.subarray(block * cluster, (block + 1) * cluster), 512 + (2 - block) * cluster);
  }
  return image;
}
