import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { pattern } from '../../conformance/device-content.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { squashfs } from './squashfs.ts';

const skip = skipWithout('mksquashfs', 'setfattr', 'setfacl');
const isRoot = process.getuid?.() === 0;
const unpacked = ['-noI', '-noD', '-noF', '-noX'];

/** What sample-tree.ts gives files by setfattr, as far as squashfs keeps it. */
const attributes: Readonly<Record<string, ExpectedFile['attributes']>> = {
  one: { 'user.short': Buffer.from('value'), 'user.empty': Buffer.alloc(0) },
  'file of 512 bytes': { 'user.long': Buffer.alloc(700, 'v') },
  etc: { 'user.of a directory': Uint8Array.of(0, 255, 0) },
  empty: {},
};

/** A squashfs that mksquashfs made from a tree. */
async function squashfsSample(makeArguments: readonly string[], mount = false): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  let structures = { offset: 0, length: 0 };
  const open = await sampleImage(0, async (image, directory) => {
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: isRoot };
    await makeSampleTree(directory, { ...all, manyFiles: 600 });
    await run('mksquashfs', [directory, image, '-noappend', '-quiet', '-no-progress', ...makeArguments]);
    const tree = (place: string) => {
      files = expectedTree(place, { unix: true, times: true }).map(inWholeSeconds).map(withAttributes);
    };
    if (mount) await fillMounted(image, tree, { options: 'loop,ro' });
    else tree(directory);
    const inodeTable = Number(fs.readFileSync(image).readBigUInt64LE(64));
    structures = { offset: inodeTable, length: fs.statSync(image).size - inodeTable };
  });
  return { driver: squashfs, open, files, structures };
}

function inWholeSeconds(file: ExpectedFile): ExpectedFile {
  return { ...file, stat: { ...file.stat, modified: { seconds: file.stat!.modified!.seconds, nanoseconds: 0 } } };
}

function withAttributes(file: ExpectedFile): ExpectedFile {
  const expected = attributes[Buffer.from(file.path).toString()];
  return expected === undefined ? file : { ...file, attributes: expected };
}

testFileSystem('squashfs', () => squashfsSample([]), skip);
testFileSystem('squashfs by xz', () => squashfsSample(['-comp', 'xz']), skip);
testFileSystem('squashfs by zstd, in large blocks', () => squashfsSample(['-comp', 'zstd', '-b', '1M']), skip);
testFileSystem('squashfs by LZ4, in small blocks', () => squashfsSample(['-comp', 'lz4', '-b', '4K']), skip);
testFileSystem('squashfs by LZO', () => squashfsSample(['-comp', 'lzo', '-always-use-fragments']), skip);
testFileSystem('squashfs without compression', () => squashfsSample([...unpacked, '-no-fragments']), skip);
testFileSystem('squashfs as Linux shows it', () => squashfsSample(['-b', '16K'], true), skip || whyNoMount('squashfs'));

/** A device with a squashfs of some files. */
async function imageOf(files: Readonly<Record<string, Uint8Array>>, makeArguments: readonly string[] = []) {
  const open = await sampleImage(0, async (image, directory) => {
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(join(directory, name), content);
    await run('mksquashfs', [directory, image, '-noappend', '-quiet', '-no-progress', ...makeArguments]);
  });
  return open();
}

describe('squashfs', { skip }, () => {
  test('says what it is, and what it cannot read', async () => {
    await using device = await imageOf({ file: pattern(10, 1) });
    const identity = (await squashfs.identify(device))!;
    const { type, version, blockSize } = identity;
    assert.deepEqual([type, version, blockSize], ['squashfs', '4.0', 131_072]);
    await device.write(Uint8Array.of(2), 20);
    const lzma = { code: 'UNSUPPORTED', message: /compressed by LZMA/ };
    await assert.rejects(squashfs.open(device, { name: 'sample' }), lzma);
    await device.write(Uint8Array.of(3, 0, 1, 0), 28);
    assert.equal((await squashfs.identify(device))!.version, '3.1');
    const old = { code: 'UNSUPPORTED', message: /it is squashfs 3\.1/ };
    await assert.rejects(squashfs.open(device, { name: 'sample' }), old);
  });

  test('a file of more blocks than one part of its list has is read anywhere', async () => {
    const content = pattern(4096 * 5000 + 77, 5);
    await using device = await imageOf({ long: content }, ['-b', '4K', '-noD']);
    await using fileSystem = await squashfs.open(device, { name: 'sample' });
    const node = (await fileSystem.lookup(fileSystem.root, Buffer.from('long')))!;
    for (const offset of [4096 * 4900 - 5, 0, 4096 * 2048 - 9, content.length - 50, 4096 * 4096]) {
      const target = Buffer.alloc(10_000);
      const length = await fileSystem.read(node, target, offset);
      assert.ok(target.subarray(0, length).equals(content.subarray(offset, offset + 10_000)), `${offset}`);
    }
    const whole = { offset: 0, length: content.length, kind: 'data', place: 96 };
    assert.deepEqual(await Array.fromAsync(fileSystem.extents(node)), [whole]);
  });

  test('a block that holds more than it may, or refers to nothing, is CORRUPT', async () => {
    // Where the first block's data are: behind the superblock, options of the compression, and a header of xz.
    for (const [compression, place] of Object.entries({ gzip: 104, xz: 120, zstd: 104, lz4: 112, lzo: 112 })) {
      const content = Buffer.alloc(300_000, 'some text, again and again; ');
      await using device = await imageOf({ file: content }, ['-comp', compression, '-no-fragments']);
      await using fileSystem = await squashfs.open(device, { name: 'sample' });
      const node = (await fileSystem.lookup(fileSystem.root, Buffer.from('file')))!;
      await device.write(new Uint8Array(64).fill(0xee), place);
      const corrupt = { code: 'CORRUPT', message: /a block of the file at inode reference \d+, at byte \d+/ };
      await assert.rejects(fileSystem.read(node, new Uint8Array(10), 0), corrupt, compression);
    }
  });

  test('machine code that xz was told of is refused by its name', async () => {
    // Calls of one place from everywhere, as the filter likes them.
    const calls = Buffer.from(pattern(131_072, 3));
    for (let offset = 0; offset < calls.length; offset += 8) {
      calls[offset] = 0xe8;
      calls.writeInt32LE(1_000_000 - offset - 5, offset + 1);
    }
    await using device = await imageOf({ file: calls }, ['-comp', 'xz', '-Xbcj', 'x86', '-noI', '-noX']);
    await using fileSystem = await squashfs.open(device, { name: 'sample' });
    const node = (await fileSystem.lookup(fileSystem.root, Buffer.from('file')))!;
    const refused = { code: 'UNSUPPORTED', message: /xz with filters for machine code/ };
    await assert.rejects(fileSystem.read(node, new Uint8Array(1 << 20), 0), refused);
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 95, 96, 1 << 20]) assert.equal(await squashfs.identify(memoryDevice(size)), undefined);
  });
});
