import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { FileSystemSample } from '../../conformance/file-system-sample.ts';
import { ext4 } from './ext4.ts';

const skip = skipWithout('mke2fs', 'debugfs', 'setfattr', 'setfacl');
const isRoot = process.getuid?.() === 0;
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

/** A file system that mke2fs made from a tree. */
async function ext4Sample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image, directory) => {
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: isRoot };
    await makeSampleTree(directory, { ...all, manyFiles: 300 });
    await run('mke2fs', ['-q', '-F', '-U', uuid, '-L', 'sample', ...makeArguments, '-d', directory, image]);
    files = expectedTree(directory, { unix: true, times: false });
  });
  return { driver: ext4, open, files, ignored: ['lost+found'], structures: { offset: 0, length: 600_000 } };
}

testFileSystem('ext2', () => ext4Sample(24 << 20, ['-t', 'ext2', '-b', '1024']), skip);
testFileSystem('ext3', () => ext4Sample(40 << 20, ['-t', 'ext3', '-b', '2048', '-I', '128']), skip);
testFileSystem('ext4', () => ext4Sample(40 << 20, ['-t', 'ext4', '-b', '4096']), skip);
testFileSystem(
  'ext4 with inline data',
  () => ext4Sample(40 << 20, ['-t', 'ext4', '-O', 'inline_data', '-I', '512']),
  skip,
);
testFileSystem(
  'ext4 with clusters',
  () => ext4Sample(64 << 20, ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '16384']),
  skip,
);
testFileSystem(
  'ext4 with groups of groups, without checksums',
  () => ext4Sample(40 << 20, ['-t', 'ext4', '-b', '1024', '-O', 'meta_bg,^resize_inode,^metadata_csum,^64bit']),
  skip,
);

/** A file system that the kernel filled. */
async function mountedSample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image) => {
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', ...makeArguments, image]);
    await fillMounted(image, async (directory) => {
      const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: true };
      await makeSampleTree(directory, { ...all, manyFiles: 900 });
      await run('fallocate', ['-l', '3000000', join(directory, 'preallocated')]);
      for (const [name, seconds] of [
        ['1901', -2_147_483_648],
        ['1969', -1.5],
        ['2039', 2_200_000_000.25],
        ['2400', 13_569_465_600],
      ] as const) {
        fs.writeFileSync(join(directory, name), name);
        fs.utimesSync(join(directory, name), seconds, seconds);
      }
      files = expectedTree(directory, { unix: true, times: true }).filter(({ path }) => !isLostAndFound(path));
    });
  });
  return { driver: ext4, open, files, ignored: ['lost+found'], structures: { offset: 0, length: 400_000 } };
}

const isLostAndFound = (path: Uint8Array) => Buffer.from(path).toString().startsWith('lost+found');

testFileSystem('ext4 of the kernel', () => mountedSample(40 << 20, []), skip || whyNoMount('ext4'));
testFileSystem(
  'ext4 of the kernel with inline data and attributes in inodes',
  () => mountedSample(40 << 20, ['-b', '4096', '-I', '512', '-O', 'inline_data,ea_inode']),
  skip || whyNoMount('ext4'),
);

describe('ext4 after a power cut', { skip: skip || whyNoMount('ext4') }, () => {
  for (const options of ['data=ordered', 'data=journal']) {
    test(`is read with its journal (${options})`, async () => {
      let names: string[] = [];
      let recovered = '';
      const open = await sampleImage(48 << 20, async (image) => {
        await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-J', 'size=4', image]);
        const mount = { powerCut: true, options: `loop,${options}` };
        await fillMounted(
          image,
          (directory) => {
            for (let index = 0; index < 200; index++) writeSynced(directory, index);
            for (let index = 0; index < 200; index += 3) fs.rmSync(join(directory, `file ${index}`));
            for (let index = 200; index < 300; index++) writeSynced(directory, index);
            names = fs.readdirSync(directory);
          },
          mount,
        );
        recovered = `${image} recovered`;
        fs.copyFileSync(image, recovered);
        await run('e2fsck', ['-fy', recovered]).catch(() => {});
        recovered = await run('debugfs', ['-R', 'ls -p', recovered]);
      });
      await using device = open();
      await using fileSystem = await ext4.open(device, { name: 'sample' });
      assert.ok(!fileSystem.isClean);
      const found = await Array.fromAsync(fileSystem.readDirectory(fileSystem.root));
      const known = recovered.split('\n').map((line) => line.split('/')[5]);
      assert.deepEqual(
        found.map(({ name }) => Buffer.from(name).toString()).sort(),
        known.filter((name) => name !== undefined && name !== '.' && name !== '..').sort(),
      );
      assert.deepEqual(names.sort(), found.map(({ name }) => Buffer.from(name).toString()).sort());
      for (const { name, node } of found) {
        if (Buffer.from(name).toString() === 'lost+found') continue;
        const content = Buffer.alloc(5000);
        await fileSystem.read(node, content, 0);
        assert.deepEqual(content, Buffer.alloc(5000, Buffer.from(name)), Buffer.from(name).toString());
      }
    });
  }
});

function writeSynced(directory: string, index: number): void {
  const file = fs.openSync(join(directory, `file ${index}`), 'w');
  fs.writeSync(file, Buffer.alloc(5000, `file ${index}`));
  fs.fsyncSync(file);
  fs.closeSync(file);
}

describe('ext4', { skip }, () => {
  test('says what it is, as blkid does', async () => {
    const types = { ext2: [], ext3: [], ext4: [] };
    for (const type of Object.keys(types)) {
      const open = await sampleImage(8 << 20, (image) =>
        run('mke2fs', ['-q', '-F', '-t', type, '-U', uuid, '-L', 'label', image]).then(() => {}),
      );
      await using device = open();
      const identity = (await ext4.identify(device))!;
      assert.deepEqual([identity.type, identity.label, identity.uuid, identity.size], [type, 'label', uuid, 8 << 20]);
    }
  });

  test('what debugfs calls free is free, in groups that were never written, too', async () => {
    let expected = '';
    const open = await sampleImage(300 << 20, async (image) => {
      await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', image]);
      expected = (await run('dumpe2fs', [image])).replace(/^.*?Group 0/s, '');
    });
    await using device = open();
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    const wanted = [...expected.matchAll(/^ {2}Free blocks: (.*)$/gm)].flatMap(([, ranges]) =>
      ranges === '' ? [] : ranges!.split(', ').map((range) => range.split('-').map(Number)),
    );
    const blocks = (await Array.fromAsync(fileSystem.freeRanges())).map(({ offset, length }) => [
      offset / 1024,
      (offset + length) / 1024,
    ]);
    const merged: number[][] = [];
    for (const [first, last = first] of wanted as [number, number?][]) {
      if (merged.at(-1)?.[1] === first) merged.at(-1)![1] = last! + 1;
      else merged.push([first, last! + 1]);
    }
    assert.deepEqual(blocks, merged);
  });

  test('a file that debugfs cut holes into, and one of many pieces', async () => {
    const open = await sampleImage(16 << 20, async (image, directory) => {
      await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', image]);
      await makeSampleTree(directory, { manyFiles: 1 });
      const file = join(directory, 'file of 1500000 bytes');
      const holes = Array.from({ length: 40 }, (_, index) => `punch pieces ${index * 4} ${index * 4}`);
      const commands = join(directory, 'commands');
      fs.writeFileSync(commands, [`write "${file}" pieces`, ...holes].join('\n'));
      await run('debugfs', ['-w', '-f', commands, image]);
    });
    await using device = open();
    await using fileSystem = await ext4.open(device, { name: 'sample' });
    const node = (await fileSystem.lookup(fileSystem.root, Buffer.from('pieces')))!;
    const extents = await Array.fromAsync(fileSystem.extents(node));
    assert.equal(extents.filter(({ kind }) => kind === 'hole').length, 40);
    const bytes = new Uint8Array(1024);
    await fileSystem.read(node, bytes, 4096);
    assert.ok(bytes.every((byte) => byte === 0));
    await fileSystem.read(node, bytes, 5120);
    assert.ok(bytes.every((byte) => byte !== 0));
  });
});
