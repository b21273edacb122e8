import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { erofs } from './erofs.ts';

const skip = skipWithout('mkfs.erofs', 'setfattr', 'setfacl');
const isRoot = process.getuid?.() === 0;
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

/** What sample-tree.ts gives files by setfattr. */
const attributes: Readonly<Record<string, ExpectedFile['attributes']>> = {
  one: { 'user.short': Buffer.from('value'), 'user.empty': Buffer.alloc(0) },
  'file of 512 bytes': { 'user.long': Buffer.alloc(700, 'v') },
  empty: {},
};

/** An EROFS that mkfs.erofs made from a tree; where times are not kept, owners of more than 16 bits are not, either. */
async function erofsSample(makeArguments: readonly string[], times: boolean): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(0, async (image, directory) => {
    const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: isRoot && times };
    await makeSampleTree(directory, { ...all, manyFiles: 300 });
    // mkfs.erofs cuts the last byte off a name of 255 bytes, and then does not find it.
    fs.renameSync(join(directory, 'n'.repeat(255)), join(directory, 'n'.repeat(250)));
    await run('mkfs.erofs', ['--quiet', '-U', uuid, ...makeArguments, image, directory]);
    files = expectedTree(directory, { unix: true, times }).map((file) => {
      const expected = attributes[Buffer.from(file.path).toString()];
      return expected === undefined ? file : { ...file, attributes: expected };
    });
  });
  return { driver: erofs, open, files, structures: { offset: 1024, length: 200_000 } };
}

testFileSystem('EROFS', () => erofsSample([], true), skip);
testFileSystem(
  'EROFS with compact inodes, in chunks with a short map',
  () => erofsSample(['-E', 'force-inode-compact', '-x', '-1', '--chunksize=4096'], false).then(withoutAttributes),
  skip,
);
testFileSystem('EROFS with shared attributes', () => erofsSample(['-x', '1', '-E', 'noinline_data'], true), skip);
testFileSystem('EROFS in chunks', () => erofsSample(['--chunksize=65536', '-E', 'force-chunk-indexes'], true), skip);

testFileSystem('EROFS with LZ4', () => erofsSample(['-zlz4'], true), skip);
/** Compact inodes have 16 bits for owners; without attributes nothing is said of them. */
function withoutAttributes(sample: FileSystemSample): FileSystemSample {
  const files = sample.files.map((file) => {
    const { uid: _uid, gid: _gid, ...stat } = file.stat!;
    return { ...file, stat, attributes: {} };
  });
  return { ...sample, files };
}

describe('EROFS', { skip }, () => {
  test('says what it is, and finds a superblock that was changed', async () => {
    const open = await sampleImage(0, (image, directory) =>
      run('mkfs.erofs', ['-U', uuid, image, directory]).then(() => {}),
    );
    await using device = open();
    const identity = (await erofs.identify(device))!;
    assert.deepEqual([identity.type, identity.uuid, identity.blockSize], ['erofs', uuid, 4096]);
    await device.write(Buffer.from('label'), 1024 + 64);
    const corrupt = { code: 'CORRUPT', message: /does not fit its checksum/ };
    await assert.rejects(erofs.open(device, { name: 'sample' }), corrupt);
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 1151, 1 << 20]) assert.equal(await erofs.identify(memoryDevice(size)), undefined);
  });
});
