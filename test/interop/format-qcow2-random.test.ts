import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { damaged, damages, readOrRefusal } from '../../src/conformance/image-format-damage.ts';
import { compressible } from '../../src/conformance/image-format-samples.ts';
import { openImage } from '../../src/format/formats.ts';
import { assertReadsLikeQemu, imageDirectory, qemuImg, qemuIo } from './qemu-images.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('qemu-img', 'qemu-io');
const diskSize = 2 ** 20;
const sector = 512;

/** A command of qemu-io on some sectors of the disk. */
const command = fc
  .record({
    verb: fc.constantFrom('write -P 1', 'write -P 255', 'write -z', 'write -z -u', 'discard'),
    start: fc.integer({ min: 0, max: diskSize / sector - 1 }),
    count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: diskSize / sector })),
  })
  .map(({ count, start, verb }) => `${verb} ${start * sector} ${Math.min(count * sector, diskSize - start * sector)}`);

const imageOptions = fc.constantFrom(
  'compat=0.10',
  'compat=0.10,cluster_size=512',
  'cluster_size=1k',
  'cluster_size=64k',
  'cluster_size=2M',
  'cluster_size=16k,extended_l2=on',
  'cluster_size=64k,extended_l2=on',
  'cluster_size=4k,preallocation=metadata',
);

describe('images with a history of random commands', { skip }, () => {
  test('we read what qemu-img reads, with a backing file and without', async () => {
    const property = fc.asyncProperty(
      imageOptions,
      fc.array(command, { maxLength: 12 }),
      fc.boolean(),
      async (...given) => {
        const [options, commands, hasBacking] = given;
        await using directory = await imageDirectory();
        const path = directory.path('image');
        const isPreallocated = options.includes('preallocation');
        if (hasBacking && !isPreallocated) {
          await directory.save('base', compressible(diskSize - 70_000, 1));
          await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'raw', '-o', options, path, `${diskSize}`);
        } else {
          await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, path, `${diskSize}`);
        }
        if (commands.length > 0) await qemuIo(path, ...commands);
        await assertReadsLikeQemu(path, directory.path(''));
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });
});

/** Of the images below, in bytes. */
const largestCluster = 16_384;

describe('damaged images of qemu-img', { skip }, () => {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    'version 2': ['-o', 'compat=0.10,cluster_size=1k'],
    'version 3': ['-o', 'compat=1.1,cluster_size=512'],
    deflate: ['-c', '-o', 'cluster_size=4k'],
    zstd: ['-c', '-o', 'cluster_size=4k,compression_type=zstd'],
    'extended L2 entries': ['-o', 'cluster_size=16k,extended_l2=on'],
  };
  for (const [kind, options] of Object.entries(kinds)) {
    test(`${kind}: changed bytes and cut ends are refused by name, or read`, async () => {
      await using directory = await imageDirectory();
      const content = compressible(150_016, 1);
      const raw = await directory.save('disk.raw', content);
      const path = directory.path('image');
      await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, path);
      const image = await readFile(path);
      const read = (bytes: Uint8Array): Promise<Uint8Array | undefined> =>
        readOrRefusal(() => openImage(memoryDevice(bytes), { name: 'sample.qcow2', format: 'qcow2' }), 'sample.qcow2');
      const property = fc.asyncProperty(damages(image.length), async (changes) => {
        await read(damaged(image, changes));
      });
      await fc.assert(property, { numRuns: 400 });
      for (let length = 0; length < image.length; length += Math.ceil(image.length / 200)) {
        const rest = await read(image.subarray(0, length));
        if (rest !== undefined) assertOnlyLastCut(rest, content, `cut at ${length}`);
      }
    });
  }
});

/** A file may end inside its last cluster, the rest of which reads as zeros, as in QEMU: nothing else may differ. */
function assertOnlyLastCut(rest: Uint8Array, content: Uint8Array, when: string): void {
  const first = rest.findIndex((byte, index) => byte !== content[index]);
  if (first < 0) return;
  const last = rest.findLastIndex((byte, index) => byte !== content[index]);
  assert.ok(last - first < largestCluster, `${when}: ${first} to ${last} differ`);
  assert.ok(
    rest.subarray(first, last + 1).every((byte) => byte === 0),
    when,
  );
}
