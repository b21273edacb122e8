import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../../../test/filesystem/mounted-image.ts';
import { run, sampleImage } from '../../../test/filesystem/sample-image.ts';
import { expectedTree, makeSampleTree } from '../../../test/filesystem/sample-tree.ts';
import { damagedWithChecksums } from '../../../test/filesystem/xfs-damage.ts';
import { prototypeOf } from '../../../test/filesystem/xfs-prototype.ts';
import { skipWithout } from '../../../test/interop/require-tool.ts';
import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type MemoryDevice, memoryDevice } from '../../block/memory-device.ts';
import { testFileSystem } from '../../conformance/file-system.ts';
import { testFileSystemDamage } from '../../conformance/file-system-damage.ts';
import type { ExpectedFile, FileSystemSample } from '../../conformance/file-system-sample.ts';
import { nodesOf } from '../../conformance/file-system-walk.ts';
import type { FileSystem } from '../file-system.ts';
import { xfs } from './xfs.ts';

const skip = skipWithout('mkfs.xfs', 'xfs_db', 'setfattr', 'setfacl');
const skipMounted = skip || whyNoMount('xfs');
const uuid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const mebibyte = 2 ** 20;

async function makeXfs(image: string, args: readonly string[]): Promise<void> {
  await run('mkfs.xfs', ['-q', '-f', '--unsupported', ...args, image]);
}

/** A file system that the kernel filled. */
async function mountedSample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const open = await sampleImage(size, async (image) => {
    await makeXfs(image, makeArguments);
    await fillMounted(image, async (directory) => {
      const all = { unix: true, holes: true, attributes: true, anyBytes: true, devices: true };
      await makeSampleTree(directory, { ...all, manyFiles: 900 });
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
      files = expectedTree(directory, { unix: true, times: true });
    });
  });
  return { driver: xfs, open, files, structures: { offset: 0, length: 400_000 } };
}

/** A file system that mkfs.xfs filled: without hard links, and without white space in names. */
async function prototypeSample(size: number, makeArguments: readonly string[]): Promise<FileSystemSample> {
  let files: FileSystemSample['files'] = [];
  const isOld = makeArguments.includes('crc=0');
  const open = await sampleImage(size, async (image, directory) => {
    await makeSampleTree(directory, { unix: true, anyBytes: true, manyFiles: 900 });
    // mkfs.xfs 6.1 makes no headers for long symlinks of version 5.
    for (const other of ['third name', 'etc/second name', ...(isOld ? [] : ['long link'])]) {
      fs.rmSync(join(directory, other));
    }
    const prototype = `${image} prototype`;
    fs.writeFileSync(prototype, prototypeOf(directory));
    await makeXfs(image, ['-p', prototype, ...makeArguments]);
    files = expectedTree(directory, { unix: true, times: false }).filter(({ kind }) => kind !== 'socket');
  });
  return { driver: xfs, open, files, structures: { offset: 0, length: 400_000 } };
}

testFileSystem('xfs of the kernel', () => mountedSample(48 * mebibyte, []), skipMounted);
testFileSystem(
  'xfs of the kernel, with small blocks, many groups and all that can be counted',
  () =>
    mountedSample(64 * mebibyte, [
      ...['-b', 'size=1024', '-d', 'agcount=4', '-n', 'size=8192'],
      ...['-m', 'rmapbt=1,reflink=1,finobt=1,bigtime=0', '-i', 'nrext64=1,size=512'],
    ]),
  skipMounted,
);
testFileSystem(
  'xfs of version 4',
  () => prototypeSample(32 * mebibyte, ['-m', 'crc=0', '-b', 'size=1024', '-n', 'ftype=0', '-l', 'lazy-count=0']),
  skip,
);

describe('xfs whose structures are damaged, and have checksums that fit', { skip: skipMounted }, () => {
  let made: Promise<FileSystemSample> | undefined;
  const damaged = async (): Promise<FileSystemSample> => {
    const open = await crowdedSample();
    return { driver: xfs, open: () => damagedWithChecksums(open(), { blockSize: 4096 }), files: [] };
  };
  testFileSystemDamage(() => (made ??= damaged()));
});

describe('xfs whose log is damaged, and has checksums that fit', { skip: skipMounted }, () => {
  let made: Promise<FileSystemSample> | undefined;
  const damaged = async (): Promise<FileSystemSample> => {
    const open = await sampleImage(48 * mebibyte, async (image) => {
      await makeXfs(image, []);
      await fillMounted(image, (directory) => changeMuch(directory, 0.2), { powerCut: true });
    });
    return { driver: xfs, open: () => damagedWithChecksums(open(), { blockSize: 4096, where: 'log' }), files: [] };
  };
  testFileSystemDamage(() => (made ??= damaged()));
});

/** Structures of every kind: trees of extents, of names and of attributes. */
async function crowdedSample(): Promise<() => MemoryDevice> {
  const open = await sampleImage(64 * mebibyte, async (image) => {
    await makeXfs(image, ['-d', 'agcount=2']);
    await fillMounted(image, async (directory) => {
      await makeSampleTree(directory, { unix: true, holes: true, manyFiles: 300 });
      writePieces(join(directory, 'pieces'), 1500, 4096);
      await setAttributes(directory, 'one', manyAttributes());
      growTogether(directory, 900);
    });
  });
  return open;
}

/** Writes every other block of a file. */
function writePieces(path: string, count: number, blockSize: number): void {
  const file = fs.openSync(path, 'w');
  for (let index = 0; index < count; index++) {
    fs.writeSync(file, Buffer.alloc(blockSize, index), 0, blockSize, index * 2 * blockSize);
  }
  fs.closeSync(file);
}

/** Names for one file in some directories in turn, so that their blocks are between each other's; a third of the first's go. */
function growTogether(directory: string, count: number): void {
  fs.writeFileSync(join(directory, 'target'), 'of all');
  for (const one of ['a', 'b', 'c']) fs.mkdirSync(join(directory, one));
  for (let index = 0; index < count; index++) {
    fs.linkSync(join(directory, 'target'), join(directory, 'a', nameOf(index)));
    for (const other of ['b', 'c']) if (index % 4 === 0) fs.mkdirSync(join(directory, other, nameOf(index)));
  }
  for (let index = 0; index < count; index += 3) fs.rmSync(join(directory, 'a', nameOf(index)));
}

const nameOf = (index: number) => `${'name '.repeat(index % 9)}${index}`;

function manyAttributes(): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (let index = 1; index < 300; index++) attributes.set(`user.attribute ${index}`, Buffer.alloc(index, `${index}`));
  for (const [name, length] of [
    ['user.largest', 65_536],
    ['trusted.large', 5000],
    ['security.other', 1024],
  ] as const) {
    attributes.set(name, Buffer.alloc(length, name));
  }
  return attributes;
}

async function setAttributes(directory: string, name: string, attributes: ReadonlyMap<string, Buffer>): Promise<void> {
  await run('setfattr', ['-n', 'user.empty', join(directory, name)]);
  const dump = `${directory}-attributes`;
  const lines = [...attributes].map(([key, value]) => `${key.replaceAll(' ', '\\040')}=0s${value.toString('base64')}`);
  fs.writeFileSync(dump, [`# file: ${join(directory, name)}`, ...lines, ''].join('\n'));
  await run('setfattr', [`--restore=${dump}`]);
  fs.rmSync(dump);
}

/** Opens what `fill` leaves on a disk. */
async function withXfs(
  { size, args = [], powerCut = false }: { size: number; args?: readonly string[]; powerCut?: boolean },
  fill: (directory: string) => Promise<void> | void,
  check: (fileSystem: FileSystem, freeSpace: string, device: BlockDevice) => Promise<void>,
  look: readonly string[] = ['p'],
): Promise<void> {
  let seen = '';
  const open = await sampleImage(size, async (image) => {
    await makeXfs(image, args);
    await fillMounted(image, fill, { powerCut });
    seen = powerCut ? '' : await run('xfs_db', ['-r', ...look.flatMap((command) => ['-c', command]), image]);
  });
  await using device = open();
  await using fileSystem = await xfs.open(device, { name: 'sample' });
  await check(fileSystem, seen, device);
}

/** Leaves all kinds of changes in the log. */
async function changeMuch(directory: string, scale = 1): Promise<void> {
  const many = (count: number) => Array.from({ length: Math.ceil(count * scale) }, (_, index) => index);
  const at = (name: string) => join(directory, name);
  fs.writeFileSync(at('one'), 'content');
  for (const index of many(300)) writeSynced(at(`file ${index}`), index);
  for (const index of many(100)) fs.rmSync(at(`file ${index * 3}`));
  writePieces(at('pieces'), 400, 4096);
  await run('setfattr', ['-n', 'user.large', '-v', 'v'.repeat(20_000), at('one')]);
  fs.mkdirSync(at('gone'));
  for (const index of many(500)) fs.writeFileSync(at(`gone/${index}`), '');
  fs.rmSync(at('gone'), { recursive: true });
  fs.mkdirSync(at('many'));
  for (const index of many(600)) fs.symlinkSync('t'.repeat(index + 1), at(`many/${index}`));
  await run('mknod', [at('device'), 'c', '5', '1']);
  await run('sync', ['-f', directory]);
  for (const index of many(100)) writeSynced(at(`later ${index}`), index);
  fs.writeFileSync(at('never synced'), 'lost');
}

function writeSynced(path: string, index: number): void {
  const file = fs.openSync(path, 'w');
  fs.writeSync(file, Buffer.alloc(index * 30, path));
  fs.fsyncSync(file);
  fs.closeSync(file);
}

async function checkTree(fileSystem: FileSystem, files: readonly ExpectedFile[]): Promise<void> {
  const found = await nodesOf(fileSystem);
  const pathOf = ({ path }: ExpectedFile) => Buffer.from(path).toString('latin1');
  assert.deepEqual([...found.keys()].sort(), files.map(pathOf).sort());
  for (const file of files) {
    const node = found.get(pathOf(file))!;
    const stat = await fileSystem.stat(node);
    assert.equal(stat.kind, file.kind);
    const { accessed, changed, created, inode, kind, allocated, ...rest } = stat;
    for (const [key, value] of Object.entries(file.stat ?? {})) {
      assert.deepEqual(rest[key as keyof typeof rest], value, `${pathOf(file)}: ${key}`);
    }
    if (file.target !== undefined) assert.deepEqual(Buffer.from(await fileSystem.readLink(node)), file.target);
    if (file.content === undefined) continue;
    const content = Buffer.alloc(stat.size);
    await fileSystem.read(node, content, 0);
    assert.ok(content.equals(file.content), pathOf(file));
  }
}

async function find(fileSystem: FileSystem, name: string): Promise<number> {
  return (await fileSystem.lookup(fileSystem.root, Buffer.from(name)))!;
}

describe('xfs of the kernel', { skip: skipMounted }, () => {
  test('a directory of 20,000 names in many pieces, from which some are gone', async () => {
    const count = 20_000;
    await withXfs(
      { size: 48 * mebibyte, args: ['-b', 'size=1024', '-d', 'agcount=1'] },
      (directory) => growTogether(directory, count),
      async (fileSystem, seen) => {
        assert.match(seen, /core\.format = 3/);
        const node = await find(fileSystem, 'a');
        const names = (await Array.fromAsync(fileSystem.readDirectory(node))).map(({ name }) => `${Buffer.from(name)}`);
        const wanted = Array.from({ length: count }, (_, index) => index).filter((index) => index % 3 !== 0);
        assert.deepEqual(names.sort(), wanted.map(nameOf).sort());
        const target = await find(fileSystem, 'target');
        assert.equal((await fileSystem.stat(target)).links, wanted.length + 1);
        for (let index = 0; index < count; index++) {
          const found = await fileSystem.lookup(node, Buffer.from(nameOf(index)));
          assert.equal(found, index % 3 === 0 ? undefined : target, nameOf(index));
        }
      },
      ['path /a', 'p core.format'],
    );
  });

  test('files of thousands of pieces, in trees of several levels', async () => {
    await withXfs(
      { size: 40 * mebibyte, args: ['-b', 'size=1024', '-d', 'agcount=1'] },
      (directory) => writePieces(join(directory, 'pieces'), 6000, 1024),
      async (fileSystem, seen) => {
        assert.match(seen, /u3\.bmbt\.level = 2/);
        const node = await find(fileSystem, 'pieces');
        const extents = await Array.fromAsync(fileSystem.extents(node));
        const kinds = extents.map(({ kind, length }) => `${kind === 'data'} ${length}`);
        assert.deepEqual(
          kinds,
          Array.from({ length: 6000 * 2 - 1 }, (_, index) => `${index % 2 === 0} 1024`),
        );
        const content = Buffer.alloc((6000 * 2 - 1) * 1024);
        assert.equal(await fileSystem.read(node, content, 0), content.length);
        for (let index = 0; index < 6000 * 2 - 1; index++) {
          const block = content.subarray(index * 1024, (index + 1) * 1024);
          assert.ok(block.equals(Buffer.alloc(1024, index % 2 === 0 ? index / 2 : 0)), `block ${index}`);
        }
      },
      ['path /pieces', 'p u3.bmbt.level'],
    );
  });

  for (const blockSize of [1024, 4096]) {
    test(`attributes of all sizes and names, ACLs left out, in blocks of ${blockSize} bytes`, async () => {
      const attributes = manyAttributes();
      await withXfs(
        { size: 40 * mebibyte, args: ['-b', `size=${blockSize}`] },
        async (directory) => {
          fs.writeFileSync(join(directory, 'file'), 'content');
          await setAttributes(directory, 'file', attributes);
        },
        async (fileSystem) => {
          const found = await fileSystem.extendedAttributes(await find(fileSystem, 'file'));
          attributes.set('user.empty', Buffer.alloc(0));
          assert.deepEqual([...found.keys()].sort(), [...attributes.keys()].sort());
          for (const [name, value] of attributes) assert.ok(value.equals(found.get(name)!), name);
        },
      );
    });
  }

  test('ACLs are as the kernel hands them out', async () => {
    const lists = new Map<string, string>();
    await withXfs(
      { size: 40 * mebibyte },
      async (directory) => {
        fs.mkdirSync(join(directory, 'd'));
        await run('setfacl', ['-m', 'u:1000:rw,g:50:r,m:rx', join(directory, 'd')]);
        await run('setfacl', ['-d', '-m', 'u:77:rwx', join(directory, 'd')]);
        for (const name of ['system.posix_acl_access', 'system.posix_acl_default']) {
          const printed = await run('getfattr', ['-n', name, '-e', 'hex', '--absolute-names', join(directory, 'd')]);
          lists.set(name, printed.match(/=0x([0-9a-f]+)/)![1]!);
        }
      },
      async (fileSystem) => {
        const found = await fileSystem.extendedAttributes(await find(fileSystem, 'd'));
        const texts = [...found].map(([name, value]) => [name, Buffer.from(value).toString('hex')] as const);
        assert.deepEqual(new Map(texts.sort()), lists);
      },
    );
  });

  test('what xfs_db calls free is free', async () => {
    await withXfs(
      { size: 64 * mebibyte, args: ['-b', 'size=1024', '-d', 'agcount=3'] },
      async (directory) => {
        for (let index = 0; index < 3000; index++) fs.writeFileSync(join(directory, `${index}`), Buffer.alloc(3000, 1));
        await run('sync', ['-f', directory]);
        for (let index = 0; index < 3000; index += 2) fs.rmSync(join(directory, `${index}`));
      },
      async (fileSystem, seen, device) => {
        const groupBlocks = new DataView((await bytesAt(device, 84, 4)).buffer).getUint32(0);
        const rows = [...seen.matchAll(/^ +(\d+) +(\d+) +(\d+)$/gm)].map((row) => row.slice(1).map(Number));
        const wanted = rows.map(
          ([group, start, count]) => `${(group! * groupBlocks + start!) * 1024} ${count! * 1024}`,
        );
        assert.ok(wanted.length > 100, seen);
        const found = (await Array.fromAsync(fileSystem.freeRanges())).map(
          ({ offset, length }) => `${offset} ${length}`,
        );
        assert.deepEqual(new Set(found).difference(new Set(wanted)), new Set());
        // xfs_db counts the few blocks that are kept for the trees of free space.
        const lists = [...seen.matchAll(/^flcount = (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
        assert.equal(wanted.length - found.length, lists);
      },
      ['freesp -d', 'agf 0', 'p flcount', 'agf 1', 'p flcount', 'agf 2', 'p flcount'],
    );
  });

  test('says what it is, as blkid does', async () => {
    const open = await sampleImage(40 * mebibyte, (image) =>
      makeXfs(image, ['-m', `uuid=${uuid}`, '-L', 'twelve bytes']),
    );
    await using device = open();
    const { type, version, label, uuid: found, size } = (await xfs.identify(device))!;
    assert.deepEqual([type, version, label, found, size], ['xfs', 'v5', 'twelve bytes', uuid, 40 * mebibyte]);
  });

  test('a UUID that was changed leaves the metadata readable', async () => {
    const open = await sampleImage(40 * mebibyte, async (image) => {
      await makeXfs(image, []);
      await fillMounted(image, (directory) => fs.writeFileSync(join(directory, 'file'), 'content'));
      await run('xfs_admin', ['-U', uuid, image]);
    });
    await using device = open();
    await using fileSystem = await xfs.open(device, { name: 'sample' });
    assert.equal(fileSystem.identity.uuid, uuid);
    assert.equal((await fileSystem.stat(await find(fileSystem, 'file'))).size, 7);
  });

  for (const [what, args] of [
    ['blocks of 4096 bytes', []],
    ['blocks of 1024 bytes and times of 32 bits', ['-b', 'size=1024', '-m', 'bigtime=0,rmapbt=1', '-d', 'agcount=1']],
    ['large counts of extents', ['-i', 'nrext64=1']],
  ] as const) {
    test(`after a power cut is read with its log, and is not clean (${what})`, async () => {
      let recovered: ExpectedFile[] = [];
      let attributes = '';
      const open = await sampleImage(64 * mebibyte, async (image) => {
        await makeXfs(image, args);
        await fillMounted(image, (directory) => changeMuch(directory), { powerCut: true });
        const copy = `${image} recovered`;
        fs.copyFileSync(image, copy);
        const look = async (directory: string) => {
          recovered = expectedTree(directory, { unix: true, times: true });
          const only = ['-n', 'user.large', '--only-values', '--absolute-names'];
          attributes = await run('getfattr', [...only, join(directory, 'one')]);
        };
        await fillMounted(copy, look, { options: 'loop,nouuid' });
      });
      await using device = open();
      await using fileSystem = await xfs.open(device, { name: 'sample' });
      assert.ok(!fileSystem.isClean);
      const files = recovered;
      assert.ok(files.length > 400, `${files.length} files`);
      await checkTree(fileSystem, files);
      const large = (await fileSystem.extendedAttributes(await find(fileSystem, 'one'))).get('user.large');
      assert.equal(`${Buffer.from(large!)}`, attributes);
      assert.ok((await fileSystem.usage()).free > 0);
    });
  }

  test('is clean once it was mounted and unmounted, wherever in its log that is', async () => {
    const open = await sampleImage(40 * mebibyte, async (image) => {
      await makeXfs(image, []);
      for (let round = 0; round < 6; round++) {
        await fillMounted(image, (directory) => {
          for (let index = 0; index < 2000; index++) fs.writeFileSync(join(directory, `${index}`), '');
          for (let index = 0; index < 2000; index++) fs.rmSync(join(directory, `${index}`));
        });
        await using device = memoryDevice(fs.readFileSync(image));
        await using fileSystem = await xfs.open(device, { name: 'sample' });
        assert.ok(fileSystem.isClean, `round ${round}`);
      }
    });
    await using _device = open();
  });
});

async function bytesAt(device: BlockDevice, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await device.read(bytes, offset);
  return bytes;
}

describe('xfs', { skip }, () => {
  const empty = (args: readonly string[]) => sampleImage(24 * mebibyte, (image) => makeXfs(image, args));

  test('is clean when it was made, and has no files', async () => {
    for (const args of [
      ['-b', 'size=4096'],
      ['-m', 'crc=0'],
      ['-s', 'size=4096'],
      ['-l', 'su=64k'],
      ['-b', 'size=512', '-m', 'crc=0'],
    ]) {
      await using device = (await empty(args))();
      await using fileSystem = await xfs.open(device, { name: 'sample' });
      assert.ok(fileSystem.isClean, `${args}`);
      assert.deepEqual(await Array.fromAsync(fileSystem.readDirectory(fileSystem.root)), []);
      const { size, free } = await fileSystem.usage();
      assert.ok(free > size / 2 && free < size);
    }
  });

  test('names of either case are the same where they were made so', async () => {
    const open = await sampleImage(24 * mebibyte, async (image, directory) => {
      for (let index = 0; index < 600; index++) fs.writeFileSync(join(directory, `Name-of-${index}`), `${index}`);
      fs.writeFileSync(`${image} prototype`, prototypeOf(directory));
      await makeXfs(image, ['-m', 'crc=0', '-n', 'version=ci', '-p', `${image} prototype`]);
    });
    await using device = open();
    await using fileSystem = await xfs.open(device, { name: 'sample' });
    for (let index = 0; index < 600; index++) {
      const node = await find(fileSystem, `name-OF-${index}`);
      assert.equal((await fileSystem.stat(node)).size, `${index}`.length);
    }
  });

  test('features that are not known are refused by name', async () => {
    await using device = (await empty(['-m', 'crc=0']))();
    const refused = (message: RegExp) => ({ code: 'UNSUPPORTED', message });
    await device.write(Uint8Array.of(0x94), 101);
    await device.write(Uint8Array.of(0x94), 100);
    await assert.rejects(xfs.open(device, { name: 'sample' }), refused(/directories of version 1/));
    await device.write(Uint8Array.of(0xb3), 101);
    await assert.rejects(xfs.open(device, { name: 'sample' }), refused(/is of version 3/));
    assert.equal(await xfs.identify(device), undefined);
    const newer = await empty([]);
    for (const [bits, message] of [
      [0x100, /uses a directory of metadata, unknown here/],
      [0x4200, /uses zones, incompatible feature 0x4000, unknown here/],
    ] as const) {
      await using changed = damagedWithChecksums(newer(), { blockSize: 4096, where: 'exact' });
      await changed.write(Uint8Array.of(bits >> 8), 216 + 2);
      await assert.rejects(xfs.open(changed, { name: 'sample' }), refused(message));
    }
  });

  test('features of the log that are not known matter only where it was not written back', async () => {
    for (const powerCut of [false, true]) {
      const open = await sampleImage(40 * mebibyte, async (image) => {
        await makeXfs(image, []);
        if (!skipMounted)
          await fillMounted(image, (directory) => writeSynced(join(directory, 'file'), 9), { powerCut });
      });
      await using device = damagedWithChecksums(open(), { blockSize: 4096, where: 'exact' });
      await device.write(Uint8Array.of(0x80), 220);
      const opening = xfs.open(device, { name: 'sample' });
      if (!powerCut || skipMounted) await (await opening)[Symbol.asyncDispose]();
      else await assert.rejects(opening, { code: 'UNSUPPORTED', message: /its log, .* has features \(0x80000000\)/ });
    }
  });

  test('content on a realtime device is refused', async () => {
    const open = await sampleImage(24 * mebibyte, async (image, directory) => {
      fs.writeFileSync(join(directory, 'file'), 'content');
      fs.writeFileSync(`${image} prototype`, prototypeOf(directory));
      await makeXfs(image, ['-p', `${image} prototype`]);
      await run('xfs_db', ['-x', '-c', 'path /file', '-c', 'write core.realtime 1', image]);
    });
    await using device = open();
    await using fileSystem = await xfs.open(device, { name: 'sample' });
    const node = await find(fileSystem, 'file');
    assert.equal((await fileSystem.stat(node)).size, 7);
    const realtime = { code: 'UNSUPPORTED', message: /inode \d+ is on a realtime device/ };
    await assert.rejects(fileSystem.read(node, new Uint8Array(7), 0), realtime);
    await assert.rejects(Array.fromAsync(fileSystem.extents(node)), realtime);
  });

  test('counts of free blocks that contradict each other are CORRUPT', async () => {
    for (const [where, field, message] of [
      ['sb 0', 'fdblocks', /its allocation groups have \d+ free blocks, and its superblock 77/],
      ['agf 0', 'freeblks', /free blocks/],
    ] as const) {
      const open = await sampleImage(24 * mebibyte, async (image) => {
        await makeXfs(image, []);
        await run('xfs_db', ['-x', '-c', where, '-c', `write -d ${field} 77`, image]);
      });
      await using device = open();
      await using fileSystem = await xfs.open(device, { name: 'sample' });
      await assert.rejects(Array.fromAsync(fileSystem.freeRanges()), { code: 'CORRUPT', message });
    }
  });

  test('every structure that is damaged is named', async () => {
    const { open } = await prototypeSample(40 * mebibyte, []);
    const messages = new Set<string>();
    for (let block = 0; block < 60; block++) {
      await using device = await open();
      const byte = await bytesAt(device, block * 4096 + 20, 1);
      await device.write(Uint8Array.of(byte[0]! ^ 1), block * 4096 + 20);
      try {
        await using fileSystem = await xfs.open(device, { name: 'sample' });
        await Array.fromAsync(fileSystem.freeRanges());
        for await (const { node, kind } of fileSystem.readDirectory(fileSystem.root)) {
          if (kind === 'directory') await Array.fromAsync(fileSystem.readDirectory(node));
        }
      } catch (error) {
        if (!isVarveError(error, 'CORRUPT')) throw error;
        messages.add(error.message.replaceAll(/\d+/g, 'N'));
      }
    }
    const all = [...messages].join('\n');
    for (const message of [
      /superblock does not fit/,
      /inode N does not fit/,
      /tree of free space of .* does not fit/,
    ]) {
      assert.match(all, message);
    }
  });

  test('an empty disk and one of zeros are something else', async () => {
    for (const size of [0, 100, 512, 1 << 20]) assert.equal(await xfs.identify(memoryDevice(size)), undefined);
  });
});
