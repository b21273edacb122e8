import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { FileSystemSample } from '../../conformance/file-system-sample.ts';
import { fat } from './fat.ts';

const skip = skipWithout('mkfs.fat', 'mcopy', 'mattrib');

/** A FAT file system that mkfs.fat and mcopy made, and what mcopy put there. */
async function fatSample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image, directory) => {
    await run('mkfs.fat', [...makeArguments, '-n', 'SAMPLE DISK', '-i', '1234abcd', image]);
    await makeSampleTree(directory, { manyFiles: 200 });
    fs.writeFileSync(join(directory, 'SHORT.TXT'), 'a short name');
    fs.writeFileSync(join(directory, 'lower.txt'), 'a small one');
    const names = fs.readdirSync(directory).map((name) => join(directory, name));
    await run('mcopy', ['-s', '-m', '-Q', '-i', image, ...names, '::/']);
    await run('mattrib', ['-i', image, '+r', '::/one']);
    // A file that is gone leaves entries and clusters behind.
    await run('mdel', ['-i', image, '::/empty', '::/file of 513 bytes']);
    for (const gone of ['empty', 'file of 513 bytes']) fs.unlinkSync(join(directory, gone));
    files = expectedTree(directory, { unix: false, times: false });
  });
  return { driver: fat, open, files, structures: { offset: 0, length: 200_000 } };
}

testFileSystem('FAT12', () => fatSample(4 << 20, ['-F', '12', '-s', '8']), skip);
testFileSystem('FAT16', () => fatSample(32 << 20, ['-F', '16', '-s', '4']), skip);
testFileSystem('FAT32', () => fatSample(64 << 20, ['-F', '32', '-s', '1']), skip);
testFileSystem(
  'FAT16 with sectors of 4096 bytes',
  () => fatSample(36 << 20, ['-F', '16', '-S', '4096', '-s', '1']),
  skip,
);

describe('FAT', { skip }, () => {
  test('says its label, its number, and whether it was unmounted', async () => {
    const open = await sampleImage(4 << 20, async (image) => {
      await run('mkfs.fat', ['-F', '12', '-n', 'BOOT', '-i', 'a0b1c2d3', image]);
    });
    await using device = open();
    await using fileSystem = await fat.open(device, { name: 'sample' });
    const { type, version, label, uuid, size } = fileSystem.identity;
    assert.deepEqual([type, version, label, uuid, size], ['vfat', 'FAT12', 'BOOT', 'A0B1-C2D3', 4 << 20]);
    assert.ok(fileSystem.isClean);
    await device.write(Uint8Array.of(1), 37);
    await using dirty = await fat.open(device, { name: 'sample' });
    assert.ok(!dirty.isClean);
  });

  test('keeps times in steps of two seconds, and read-only files', async () => {
    const { open } = await fatSample(32 << 20, ['-F', '16']);
    await using device = await open();
    await using fileSystem = await fat.open(device, { name: 'sample' });
    const one = (await fileSystem.lookup(fileSystem.root, Buffer.from('ONE')))!;
    const { mode, modified } = await fileSystem.stat(one);
    assert.equal(mode, 0o555);
    assert.deepEqual(modified, { seconds: 1_234_567_890, nanoseconds: 0 });
  });

  test('a chain of clusters that goes round ends in CORRUPT', async () => {
    const open = await sampleImage(1 << 20, async (image, directory) => {
      await run('mkfs.fat', ['-F', '12', '-s', '1', image]);
      fs.writeFileSync(join(directory, 'round'), new Uint8Array(100_000));
      await run('mcopy', ['-i', image, join(directory, 'round'), '::/']);
    });
    await using device = open();
    // Clusters 2 and 3 follow each other.
    await device.write(Uint8Array.of(0x03, 0x20, 0x00), 512 + 3);
    await using fileSystem = await fat.open(device, { name: 'sample' });
    const round = (await fileSystem.lookup(fileSystem.root, Buffer.from('round')))!;
    const corrupt = {
      name: 'VarveError',
      code: 'CORRUPT',
      message: /entry at byte \d+: its chain of clusters goes round/,
    };
    await assert.rejects(fileSystem.read(round, new Uint8Array(512), 512 * 9), corrupt);
    await assert.rejects(Array.fromAsync(fileSystem.readDirectory(round)), { code: 'INVALID' });
    await device.write(Uint8Array.of(0x10), round * 32 + 11);
    await assert.rejects(fileSystem.stat(round), corrupt);
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 100, 512, 1 << 20]) assert.equal(await fat.identify(memoryDevice(size)), undefined);
  });
});
