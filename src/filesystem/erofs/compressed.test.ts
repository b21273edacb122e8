import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import { pattern } from '../../conformance/device-content.ts';
import type { FileSystem } from '../file-system.ts';
import { erofs } from './erofs.ts';

const skip = skipWithout('mkfs.erofs');
const words = Buffer.from(
  Array.from({ length: 9000 }, (_, index) => `line ${index * index} of ${index % 7}\n`).join(''),
);

/** Files that compress well, badly and not at all, and end everywhere in a block. */
const files: ReadonlyMap<string, Buffer> = new Map([
  ['zeros', Buffer.alloc(3_000_000)],
  ['words', words],
  ['noise', Buffer.from(pattern(100_001, 1))],
  ['mixed', Buffer.concat([words, pattern(70_000, 2), Buffer.alloc(50_000, 'ab'), pattern(4096, 3), words])],
  ['twice', Buffer.concat([Buffer.from('abc'), words, words])],
  ['block', words.subarray(0, 4096)],
  ['more', words.subarray(0, 4097)],
  ['few', Buffer.from('few '.repeat(30))],
  ...Array.from({ length: 60 }, (_, index): [string, Buffer] => [
    `part ${index}`,
    words.subarray(index * 7, index * 7 + index * 237),
  ]),
]);

async function imageOf(makeArguments: readonly string[]): Promise<BlockDevice> {
  const open = await sampleImage(0, async (image, directory) => {
    for (const [name, content] of files) fs.writeFileSync(join(directory, name), content);
    await run('mkfs.erofs', ['--quiet', '-T0', ...makeArguments, image, directory]);
  });
  return open();
}

async function contentIn(fileSystem: FileSystem, name: string, offset = 0, length?: number): Promise<Buffer> {
  const node = await fileSystem.lookup(fileSystem.root, Buffer.from(name));
  if (node === undefined) return Buffer.alloc(0);
  const content = Buffer.alloc(length ?? (await fileSystem.stat(node)).size - offset);
  return content.subarray(0, await fileSystem.read(node, content, offset));
}

/** What is at `place` of an image is changed, and the superblock's checksum made to fit. */
async function patched(
  device: BlockDevice,
  changes: readonly (readonly [place: number, bytes: Uint8Array])[],
): Promise<void> {
  for (const [place, bytes] of changes) await device.write(bytes, place);
  const block = new Uint8Array(4096 - 1024);
  await device.read(block, 1024);
  block.fill(0, 4, 8);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(~crc32c(block) >>> 0);
  await device.write(sum, 1024 + 4);
}

/** Where the header of a compressed file is: files here have extended inodes, and no attributes. */
async function headerPlace(device: BlockDevice, node: number): Promise<number> {
  const superblock = Buffer.alloc(128);
  await device.read(superblock, 1024);
  return superblock.readUInt32LE(40) * 4096 + node * 32 + 64;
}

const ways: Readonly<Record<string, readonly string[]>> = {
  'compact indexes': ['-zlz4'],
  'full indexes': ['-zlz4', '-Elegacy-compress'],
  'clusters of 64 KiB': ['-zlz4hc', '-C65536'],
  'clusters of 1 MiB and full indexes': ['-zlz4', '-C1048576', '-Elegacy-compress'],
  'ends behind the index': ['-zlz4', '-Eztailpacking'],
  'ends behind a full index, clusters of 64 KiB': ['-zlz4', '-C65536', '-Elegacy-compress,ztailpacking'],
  'extents of at most 64 KiB': ['-zlz4', '--max-extent-bytes=65536'],
};

describe('EROFS, compressed by LZ4', { skip }, () => {
  for (const [way, makeArguments] of Object.entries(ways)) {
    test(`files are read with ${way}, whole and in parts`, async () => {
      await using device = await imageOf(makeArguments);
      await using fileSystem = await erofs.open(device, { name: 'sample' });
      for (const [name, content] of files) {
        assert.ok((await contentIn(fileSystem, name)).equals(content), name);
        const middle = Math.floor(content.length / 3);
        const part = content.subarray(middle, middle + 10_000);
        assert.ok((await contentIn(fileSystem, name, middle, 10_000)).equals(part), `${name} in part`);
      }
    });
  }

  test('files whose end, or all of them, is in the packed inode are read from there', async () => {
    await using device = await imageOf(['-zlz4', '-x-1', '--all-root', '-Eforce-inode-extended']);
    const before = await erofs.open(device, { name: 'sample' });
    const node = async (name: string) => (await before.lookup(before.root, Buffer.from(name)))!;
    // Makes the file "mixed" the one with the ends of others: mkfs.erofs of this age cannot.
    const packed = Buffer.alloc(8);
    packed.writeBigUInt64LE(BigInt(await node('mixed')));
    const whole = Buffer.alloc(8);
    whole.writeBigUInt64LE(2n ** 63n + 1000n);
    const twice = await headerPlace(device, await node('twice'));
    const header = Buffer.alloc(8);
    await device.read(header, twice);
    header.writeUInt32LE(70_000, 0);
    header.writeUInt16LE(header.readUInt16LE(4) | 0x20, 4);
    const features = Buffer.alloc(4);
    await device.read(features, 1024 + 80);
    features.writeUInt32LE(features.readUInt32LE(0) | 0x20);
    await patched(device, [
      [1024 + 80, features],
      [1024 + 96, packed],
      [await headerPlace(device, await node('part 50')), whole],
      [twice, header],
    ]);
    await using fileSystem = await erofs.open(device, { name: 'sample' });
    const mixed = files.get('mixed')!;
    assert.ok((await contentIn(fileSystem, 'part 50')).equals(mixed.subarray(1000, 1000 + 50 * 237)));
    const found = await contentIn(fileSystem, 'twice');
    const expected = files.get('twice')!;
    const end = found.findIndex((byte, index) => byte !== expected[index]);
    // The last extent is the packed inode's, from the place on that was given; its first bytes may be the same by chance.
    const isFromPacked = (start: number) =>
      found.subarray(start).equals(mixed.subarray(70_000, 70_000 + found.length - start));
    assert.ok(Array.from({ length: 100 }, (_, back) => end - back).some(isFromPacked));
  });

  test('what is compressed by something else is refused by its name', async () => {
    await using device = await imageOf(['-zlz4', '-x-1', '--all-root', '-Eforce-inode-extended']);
    const before = await erofs.open(device, { name: 'sample' });
    const node = (await before.lookup(before.root, Buffer.from('words')))!;
    await patched(device, [[(await headerPlace(device, node)) + 6, Uint8Array.of(1)]]);
    await using fileSystem = await erofs.open(device, { name: 'sample' });
    const refused = { code: 'UNSUPPORTED', message: /inode \d+ is compressed by LZMA, which is not read here/ };
    await assert.rejects(contentIn(fileSystem, 'words'), refused);
  });

  test('an index or data that are damaged end in CORRUPT, or in other bytes', async () => {
    await using device = await imageOf(['-zlz4', '-x-1', '-C65536', '-Eztailpacking']);
    const original = new Uint8Array(device.size);
    await device.read(original, 0);
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 4096, max: device.size - 1 }), fc.nat(255)), { minLength: 1, maxLength: 20 }),
      async (changes) => {
        for (const [place, value] of changes) await device.write(Uint8Array.of(value), place);
        try {
          await using fileSystem = await erofs.open(device, { name: 'sample' });
          for (const name of ['words', 'mixed', 'few', 'twice']) await contentIn(fileSystem, name, 1000, 200_000);
        } catch (error) {
          assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'INVALID'), `${error}`);
        } finally {
          for (const [place] of changes) await device.write(original.subarray(place, place + 1), place);
        }
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });
});
