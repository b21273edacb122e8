import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { ext4 } from '../../filesystem/ext4/ext4.ts';
import { squashfs } from '../../filesystem/squashfs/squashfs.ts';
import { GuestTree } from '../guest-tree.ts';
import { writeSquashfs } from './write-squashfs.ts';

const skip = skipWithout('mke2fs', 'unsquashfs', 'setfattr', 'setfacl');

/** What sample-tree.ts gives files by setfattr, as far as squashfs keeps it. */
const attributes: Readonly<Record<string, ExpectedFile['attributes']>> = {
  one: { 'user.short': Buffer.from('value'), 'user.empty': Buffer.alloc(0) },
  'file of 512 bytes': { 'user.long': Buffer.alloc(700, 'v') },
  etc: { 'user.of a directory': Uint8Array.of(0, 255, 0) },
  empty: {},
};

/** Writes the files of an ext4 as a squashfs into a file. */
async function packInto(path: string, device: BlockDevice): Promise<void> {
  await using fileSystem = await ext4.open(device, { name: 'sample' });
  const tree = new GuestTree(new Map([['/', fileSystem]]), 'sample');
  const fd = fs.openSync(path, 'w');
  const write = (bytes: Uint8Array, offset: number): void => void fs.writeSync(fd, bytes, 0, bytes.length, offset);
  const problems: string[] = [];
  await writeSquashfs(
    tree,
    await tree.resolve('/'),
    { write },
    {
      time: 1_700_000_000,
      wanted: ({ path: name }) => name !== '/lost+found',
      onProblem: ({ message }) => problems.push(message),
    },
  );
  fs.closeSync(fd);
  assert.deepEqual(problems, []);
}

/** A squashfs made from an ext4 that mke2fs made from a tree; its files as Linux shows them where it is mounted. */
async function packedSample(isMounted: boolean): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  let structures = { offset: 0, length: 0 };
  const open = await sampleImage(64 << 20, async (image, directory) => {
    const isRoot = process.getuid?.() === 0;
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: isRoot };
    await makeSampleTree(directory, { ...all, manyFiles: 3000 });
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', directory, image]);
    const source = memoryDevice(fs.readFileSync(image));
    fs.rmSync(image);
    await packInto(image, source);
    const take = (place: string): void => {
      files = expectedTree(place, { unix: true, times: true }).map(asKept);
    };
    if (isMounted) await fillMounted(image, take, { options: 'loop,ro' });
    else take(directory);
    const inodeTable = Number(fs.readFileSync(image).readBigUInt64LE(64));
    structures = { offset: inodeTable, length: fs.statSync(image).size - inodeTable };
    await run('unsquashfs', ['-lls', image]);
  });
  return { driver: squashfs, open, files, structures };
}

function asKept(file: ExpectedFile): ExpectedFile {
  const stat = { ...file.stat!, modified: { seconds: file.stat!.modified!.seconds, nanoseconds: 0 } };
  const expected = attributes[Buffer.from(file.path).toString()];
  return { ...file, stat, ...(expected === undefined ? {} : { attributes: expected }) };
}

testFileSystem('a squashfs of ours', () => packedSample(false), skip);
testFileSystem('a squashfs of ours as Linux shows it', () => packedSample(true), skip || whyNoMount('squashfs'));

describe('writeSquashfs', { skip }, () => {
  test('keeps an empty directory, and nothing else', async () => {
    const open = await sampleImage(4 << 20, async (image, directory) => {
      await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', directory, image]);
      const source = memoryDevice(fs.readFileSync(image));
      fs.rmSync(image);
      await packInto(image, source);
    });
    await using packed = await squashfs.open(open(), { name: 'packed' });
    assert.deepEqual(await Array.fromAsync(packed.readDirectory(packed.root)), []);
  });

  test('ends when it is told to', async () => {
    const open = await sampleImage(4 << 20, async (image, directory) => {
      await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', directory, image]);
    });
    await using fileSystem = await ext4.open(open(), { name: 'sample' });
    const tree = new GuestTree(new Map([['/', fileSystem]]), 'sample');
    const options = { time: 0, onProblem: assert.fail, signal: AbortSignal.abort() };
    await assert.rejects(writeSquashfs(tree, await tree.resolve('/'), { write: () => {} }, options), {
      name: 'AbortError',
    });
  });
});
