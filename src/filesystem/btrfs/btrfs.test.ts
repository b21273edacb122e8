import fs from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { damagedWithChecksums } from '../../../test/filesystem/btrfs-damage.ts';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import { testFileSystemDamage } from '../../conformance/file-system-damage.ts';
import type { FileSystemSample } from '../../conformance/file-system-sample.ts';
import { btrfs } from './btrfs.ts';

const skip = skipWithout('mkfs.btrfs', 'btrfs', 'setfattr', 'setfacl');
const skipMounted = skip || whyNoMount('btrfs');
const mebibyte = 2 ** 20;

async function makeBtrfs(image: string, args: readonly string[]): Promise<void> {
  await run('mkfs.btrfs', ['-q', '-f', ...args, image]);
}

/** How a sample is made. */
interface SampleOptions {
  readonly size?: number;
  readonly make?: readonly string[];
  /** For `mount -o`, after `loop`. */
  readonly mount?: string;
}

/** A file system that the kernel filled. */
async function mountedSample({ size = 128 * mebibyte, make = [], mount }: SampleOptions): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image) => {
    await makeBtrfs(image, make);
    const options = mount === undefined ? 'loop' : `loop,${mount}`;
    await fillMounted(
      image,
      async (directory) => {
        const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: true };
        await makeSampleTree(directory, { ...all, manyFiles: 900 });
        await makeOthers(directory);
        files = expectedTree(directory, { unix: true, times: true });
      },
      { options },
    );
  });
  return { driver: btrfs, open, files, structures: { offset: 65_536, length: 16_384 } };
}

/** What Btrfs keeps in its own ways. */
async function makeOthers(directory: string): Promise<void> {
  await run('fallocate', ['-l', '3000000', join(directory, 'preallocated')]);
  await run('cp', ['--reflink=auto', join(directory, 'file of 1500000 bytes'), join(directory, 'shared')]);
  for (const [name, seconds] of [
    ['1901', -2_147_483_648],
    ['1969', -1.5],
    ['2039', 2_200_000_000.25],
    ['2400', 13_569_465_600],
  ] as const) {
    fs.writeFileSync(join(directory, name), name);
    fs.utimesSync(join(directory, name), seconds, seconds);
  }
  const text = Buffer.from(Array.from({ length: 60_000 }, (_, index) => `line ${index % 977}\n`).join(''));
  fs.writeFileSync(join(directory, 'text'), text);
  fs.writeFileSync(join(directory, 'short text'), text.subarray(0, 1500));
}

testFileSystem('btrfs of the kernel', () => mountedSample({}), skipMounted);

describe('btrfs whose structures are damaged, and have checksums that fit', { skip: skipMounted }, () => {
  let made: Promise<FileSystemSample> | undefined;
  const damaged = async (): Promise<FileSystemSample> => {
    const open = await sampleImage(128 * mebibyte, async (image) => {
      await makeBtrfs(image, ['-m', 'single', '-n', '4096']);
      await fillMounted(
        image,
        async (directory) => {
          await makeSampleTree(directory, { unix: true, holes: true, attributes: true, manyFiles: 100 });
          await makeOthers(directory);
        },
        { options: 'loop,compress=zstd' },
      );
    });
    return { driver: btrfs, open: () => damagedWithChecksums(open()), files: [] };
  };
  testFileSystemDamage(() => (made ??= damaged()));
});
