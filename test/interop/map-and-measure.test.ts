import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { createDisk } from '../../src/image/create-disk.ts';
import { openFileDisk } from '../../src/image/file-disk.ts';
import { mapDisk } from '../../src/image/map-disk.ts';
import { measureDisk } from '../../src/image/measure-disk.ts';
import { assertClean, type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const mebibyte = 2 ** 20;

/** What `qemu-img map` prints of a file, and of ours the same fields. */
async function maps(path: string): Promise<[theirs: object[], ours: object[]]> {
  const theirs = JSON.parse(await qemuImg('map', '--output=json', path));
  await using disk = await openFileDisk(path, { follow: true });
  const ours: object[] = [];
  for await (const { depth, hostOffset, kind, length, offset, present } of mapDisk(disk)) {
    const place = hostOffset === undefined ? {} : { offset: hostOffset };
    ours.push({ start: offset, length, depth, present, zero: kind !== 'data', data: kind === 'data', ...place });
  }
  return [theirs, ours];
}

async function writtenImage(directory: ImageDirectory, name: string, ...options: string[]): Promise<string> {
  const path = directory.path(name);
  await qemuImg('create', '-f', 'qcow2', ...options, path, '20M');
  await qemuIo(path, 'write -P 1 0 1M', 'write -z 2M 1M', 'write -P 2 5M 64k', 'discard 512k 128k');
  return path;
}

describe('beside qemu-img', { skip: skipWithout('qemu-img', 'qemu-io') }, () => {
  test('the map of an image is the same, row by row', async () => {
    await using directory = await imageDirectory();
    for (const [index, options] of [[], ['-o', 'cluster_size=4k'], ['-o', 'extended_l2=on']].entries()) {
      const [theirs, ours] = await maps(await writtenImage(directory, `${index}.qcow2`, ...options));
      assert.deepEqual(ours, theirs, options.join(' '));
    }
  });

  test('the map of a chain is the same, row by row', async () => {
    await using directory = await imageDirectory();
    const base = await directory.save('base.raw', pattern(3 * mebibyte, 1));
    const middle = directory.path('middle.qcow2');
    await createDisk(middle, { size: 6 * mebibyte, backing: base });
    await qemuIo(middle, 'write -P 3 1M 64k', 'write -z 2M 64k', 'write -P 4 4M 64k');
    const top = directory.path('top.qcow2');
    await createDisk(top, { backing: middle });
    await qemuIo(top, 'write -P 5 128k 64k');
    await assertClean(top);
    const [theirs, ours] = await maps(top);
    assert.deepEqual(ours, theirs);
  });

  test('a qcow2 file is measured the same', async () => {
    await using directory = await imageDirectory();
    const image = await writtenImage(directory, 'disk.qcow2');
    await using disk = await openFileDisk(image);
    for (const clusterSize of [512, 65536, 2 * mebibyte]) {
      const options = ['measure', '--output=json', '-O', 'qcow2', '-o', `cluster_size=${clusterSize}`];
      const ofDisk = JSON.parse(await qemuImg(...options, image));
      const ours = await measureDisk(disk, 'qcow2', { clusterSize });
      assert.deepEqual([ours.required, ours.fullyAllocated], [ofDisk.required, ofDisk['fully-allocated']]);
      const ofSize = JSON.parse(await qemuImg(...options, '--size', '3000000000'));
      const empty = await measureDisk(3_000_000_000, 'qcow2', { clusterSize });
      assert.deepEqual([empty.required, empty.fullyAllocated], [ofSize.required, ofSize['fully-allocated']]);
    }
  });
});
