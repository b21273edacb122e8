import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree, type SampleTreeOptions } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import type { FileSystem } from '../file-system.ts';
import { iso9660 } from './iso9660.ts';

const skip = skipWithout('genisoimage', 'xorriso');
const isRoot = process.getuid?.() === 0;
const allUnix = { unix: true, anyBytes: true, devices: isRoot };
const bytesAsTheyAre = ['-input-charset', 'iso8859-1', '-output-charset', 'iso8859-1'];

interface SampleOptions {
  readonly program: (image: string, directory: string) => readonly [string, readonly string[]];
  readonly tree: SampleTreeOptions;
  readonly keeps: { readonly unix: boolean; readonly times: boolean };
  /** Changes what is expected, where the format keeps less. */
  readonly expect?: (file: ExpectedFile) => ExpectedFile;
  readonly ignored?: readonly string[];
  /** What the program does not come to an end with. */
  readonly without?: string;
}

/** A disk that one of the programs made from a tree. */
async function isoSample(options: SampleOptions): Promise<FileSystemSample> {
  const { program, tree, keeps, expect, ignored = [], without } = options;
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(0, async (image, directory) => {
    await makeSampleTree(directory, { ...tree, manyFiles: 300 });
    fs.mkdirSync(join(directory, 'a/b/c/d/e/f/g/h/i/j'), { recursive: true });
    fs.writeFileSync(join(directory, 'a/b/c/d/e/f/g/h/i/j/down'), 'far down');
    if (without !== undefined) fs.rmSync(join(directory, without));
    fs.rmSync(image);
    await run(...program(image, directory));
    files = expectedTree(directory, keeps).map((file) => expect?.(file) ?? file);
  });
  return { driver: iso9660, open, files, ignored, structures: { offset: 32_768, length: 150_000 } };
}

function inWholeSeconds(file: ExpectedFile): ExpectedFile {
  return { ...file, stat: { ...file.stat, modified: { seconds: file.stat!.modified!.seconds, nanoseconds: 0 } } };
}

/** The file in UTF-8 has no other capital letters. */
function inSmallLetters(path: Uint8Array): Uint8Array {
  return path.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));
}

/** Symlinks are kept as the names that they lead through. */
function withoutLastSlash(file: ExpectedFile): ExpectedFile {
  const target = file.target && Buffer.from(Buffer.from(file.target).toString().replace(/\/$/, ''));
  return { ...inWholeSeconds(file), ...(target !== undefined && { target }) };
}

testFileSystem(
  'ISO 9660 with Rock Ridge of genisoimage',
  () =>
    isoSample({
      program: (image, directory) => ['genisoimage', ['-quiet', '-R', ...bytesAsTheyAre, '-o', image, directory]],
      ...{
        tree: allUnix,
        without: 'long link',
        keeps: { unix: true, times: true },
        expect: inWholeSeconds,
        ignored: ['rr_moved'],
      },
    }),
  skip,
);
testFileSystem(
  'ISO 9660 with Rock Ridge of xorriso',
  () =>
    isoSample({
      program: (image, directory) => [
        'xorriso',
        ['-report_about', 'SORRY', '-outdev', image, '-hardlinks', 'on', '-map', directory, '/'],
      ],
      ...{ tree: allUnix, keeps: { unix: true, times: true }, expect: withoutLastSlash },
    }),
  skip,
);
testFileSystem(
  'ISO 9660 with Joliet',
  () =>
    isoSample({
      program: (image, directory) => [
        'genisoimage',
        ['-quiet', '-D', '-J', '-joliet-long', '-input-charset', 'utf-8', '-o', image, directory],
      ],
      ...{ tree: {}, keeps: { unix: false, times: true }, expect: inWholeSeconds },
    }),
  skip,
);
testFileSystem(
  'ISO 9660 with names of its own',
  () =>
    isoSample({
      program: (image, directory) => [
        'genisoimage',
        ['-quiet', '-iso-level', '4', '-D', ...bytesAsTheyAre, '-o', image, directory],
      ],
      tree: {},
      keeps: { unix: false, times: true },
      expect: (file) => ({
        ...inWholeSeconds(file),
        path: inSmallLetters(file.path),
      }),
    }),
  skip,
);

/** A file system of some files, which is the caller's. */
async function openIso(makeArguments: readonly string[], fill: (directory: string) => void): Promise<FileSystem> {
  const open = await sampleImage(0, async (image, directory) => {
    fill(directory);
    await run('genisoimage', ['-quiet', '-o', image, ...makeArguments, directory]);
  });
  return await iso9660.open(open(), { name: 'sample' });
}

describe('ISO 9660', { skip }, () => {
  test('says its label and date as blkid does', async () => {
    await using fileSystem = await openIso(['-V', 'A label of 20 bytes.', '-J'], () => {});
    const { type, label, uuid, blockSize } = fileSystem.identity;
    assert.deepEqual([type, label, blockSize], ['iso9660', 'A label of 20 bytes.', 2048]);
    assert.match(uuid!, /^20\d\d-\d\d-\d\d-\d\d-\d\d-\d\d-\d\d$/);
  });

  test('a file in several extents is one', async () => {
    // Two records for a file, as there would be for one of more than 4 GiB.
    const content = pattern(6000, 4);
    const open = await sampleImage(0, async (image, directory) => {
      for (const name of ['one', 'two'])
        fs.writeFileSync(join(directory, name), content.subarray(name === 'one' ? 0 : 4096));
      await run('genisoimage', ['-quiet', '-o', image, directory]);
    });
    await using device = open();
    const made = await iso9660.open(device, { name: 'sample' });
    const [one, two] = await Promise.all(['one', 'two'].map((name) => made.lookup(made.root, Buffer.from(name))));
    await device.write(Uint8Array.of(0x80), one! + 25);
    await device.write(Uint8Array.of(0, 16, 0, 0), one! + 10);
    await device.write(Buffer.from('ONE'), two! + 33);
    await using fileSystem = await iso9660.open(device, { name: 'sample' });
    const names = await Array.fromAsync(fileSystem.readDirectory(fileSystem.root));
    assert.equal(names.length, 1);
    const target = Buffer.alloc(7000);
    assert.equal(await fileSystem.read(one!, target, 0), 6000);
    assert.ok(target.subarray(0, 6000).equals(content));
    assert.equal((await Array.fromAsync(fileSystem.extents(one!))).length, 2);
    await device.write(Buffer.from('TWO'), two! + 33);
    await using broken = await iso9660.open(device, { name: 'sample' });
    await assert.rejects(broken.stat(one!), { code: 'CORRUPT', message: /does not go on at byte/ });
  });

  test('a system use area that goes on in itself is CORRUPT', async () => {
    const open = await sampleImage(0, async (image, directory) => {
      fs.writeFileSync(join(directory, 'n'.repeat(250)), '');
      await run('genisoimage', ['-quiet', '-R', '-o', image, directory]);
    });
    const bytes = Buffer.alloc(open().size);
    open().read(bytes, 0);
    // The last CE is the one of the long name; where that goes on, it now is there again.
    const place = bytes.lastIndexOf(Buffer.from('CE\x1c\x01'));
    const area = bytes.readUInt32LE(place + 4) * 2048 + bytes.readUInt32LE(place + 12);
    bytes.copy(bytes, area, place, place + 28);
    await using fileSystem = await iso9660.open(memoryDevice(bytes), { name: 'sample' });
    const corrupt = { code: 'CORRUPT', message: /directory record at byte \d+ goes on in more than 32 areas/ };
    await assert.rejects(Array.fromAsync(fileSystem.readDirectory(fileSystem.root)), corrupt);
  });

  test('files that are packed are refused by the name of what packed them', async () => {
    const open = await sampleImage(0, async (image, directory) => {
      fs.rmSync(image);
      fs.writeFileSync(join(directory, 'packed'), Buffer.alloc(300_000, 'again and '));
      const filter = ['-set_filter_r', '--zisofs', '/', '--'];
      await run('xorriso', ['-report_about', 'SORRY', '-outdev', image, '-map', directory, '/', ...filter]);
    });
    await using fileSystem = await iso9660.open(open(), { name: 'sample' });
    const node = (await fileSystem.lookup(fileSystem.root, Buffer.from('packed')))!;
    assert.equal((await fileSystem.stat(node)).size, 300_000);
    const refused = { code: 'UNSUPPORTED', message: /is packed as zisofs/ };
    await assert.rejects(fileSystem.read(node, new Uint8Array(10), 0), refused);
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 32_768, 1 << 20]) assert.equal(await iso9660.identify(memoryDevice(size)), undefined);
  });
});
