import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { contentOf } from '../../src/conformance/device-content.ts';
import { compressible } from '../../src/conformance/image-format-samples.ts';
import { ImageHistory } from '../../src/conformance/image-power-cut.ts';
import type { FormatDevice } from '../../src/format/image-format.ts';
import { qcow2Format } from '../../src/format/qcow2/qcow2.ts';
import { type ImageDirectory, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const diskSize = 600 * 1024;

/** Makes the image that a history starts from; gives its path. */
type Make = (directory: ImageDirectory) => Promise<string>;

async function created(directory: ImageDirectory, options: string, ...more: string[]): Promise<string> {
  const path = directory.path('image');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, ...more, path, `${diskSize}`);
  return path;
}

const images: Readonly<Record<string, Make>> = {
  'clusters of 512 bytes': (directory) => created(directory, 'cluster_size=512'),
  'extended L2 entries and a backing file': async (directory) => {
    await directory.save('base', compressible(diskSize - 70_144, 1));
    return created(directory, 'cluster_size=16k,extended_l2=on', '-b', 'base', '-F', 'raw');
  },
  'internal snapshots': async (directory) => {
    const path = await created(directory, 'cluster_size=1k');
    await qemuIo(path, 'write -P 251 0 200k', 'write -P 252 300k 100k');
    await qemuImg('snapshot', '-c', 'first', path);
    await qemuIo(path, 'write -P 253 150k 10k', 'discard 310k 20k');
    await qemuImg('snapshot', '-c', 'second', path);
    return path;
  },
  'compressed clusters': async (directory) => {
    const raw = await directory.save('disk.raw', compressible(diskSize, 2));
    const path = directory.path('image');
    await qemuImg('convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', 'cluster_size=4k', raw, path);
    return path;
  },
  'refcounts of 64 bits': (directory) => created(directory, 'cluster_size=512,refcount_bits=64'),
};

describe('a power cut at any write to a qcow2 image', { skip }, () => {
  for (const [name, make] of Object.entries(images)) {
    test(`${name}: qemu-img finds leaks at most, and the disk is as it was flushed or written since`, async () => {
      await using directory = await imageDirectory();
      const path = await make(directory);
      const base = name.includes('backing') ? await readFile(directory.path('base')) : new Uint8Array();
      const open = (file: BlockDevice, writable: boolean): Promise<FormatDevice> =>
        qcow2Format.open(file, { name: path, writable, openBacking: async () => memoryDevice(base) });
      const history = await ImageHistory.record(memoryDevice(await readFile(path)), {
        ...{ seed: 5, operationCount: 80, maximumLength: 16_384, resizes: !name.includes('snapshots') },
        open: (file) => open(file, true),
      });
      const replays = [{}, { dropUnsynced: true }, { reorderSeed: 1 }, { reorderSeed: 2 }];
      for (let turn = 0; turn < 80; turn += 1) {
        const eventCount = Math.floor((history.eventCount * turn) / 79);
        const cut = history.cut(eventCount, replays[turn % replays.length]!);
        await writeFile(path, await contentOf(cut.file));
        const report = await check(path);
        assert.deepEqual([report['check-errors'], report.corruptions ?? 0], [0, 0], cut.description);
        await using disk = await open(cut.file, false);
        await cut.assertContent(disk);
      }
    });
  }
});

/** Leaks make it end with a status of their own. */
async function check(path: string): Promise<{ readonly 'check-errors': number; readonly corruptions?: number }> {
  try {
    return JSON.parse(await qemuImg('check', '--output=json', path));
  } catch (error) {
    return JSON.parse((error as { readonly stdout: string }).stdout);
  }
}
